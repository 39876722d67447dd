"""What could not become an event: kept sealed, shown, tried again, let go of."""
