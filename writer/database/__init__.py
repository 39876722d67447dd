"""PostgreSQL as the writer meets it: connections, locks, and what its word is worth."""
