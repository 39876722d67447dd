"""Enrichment: one small pure step a file; ``pipeline.py`` is the ordered list."""
