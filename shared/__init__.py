"""Contracts between the services. Imports no other folder of the project."""
