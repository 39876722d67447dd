"""Real input: access logs read line by line and sent as keyed server events."""
