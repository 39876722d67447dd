"""What each endpoint does, one resource a file; the table of them is api/app.py."""
