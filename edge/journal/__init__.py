"""Journal mode: every batch stays on this host until the database has committed it."""
