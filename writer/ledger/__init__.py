"""Every batch by its number: what is stored, what is missing, and what became of each event."""
