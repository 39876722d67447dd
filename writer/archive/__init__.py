"""Closed site-days as Parquet files: written, checked, listed, and swept up after."""
