"""What waits on this host: the local stream, its room, and who takes it up."""
