"""What time it is: the primary's clock, as this host knows it."""
