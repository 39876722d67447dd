"""What the drain says on /readyz of a name that the edge had before; else why the primary refuses
it."""

COMING_HOME = "coming home"
WAITING = "waiting"
"""Until the primary is well, and it is clear that no other drain tells of the name."""
ANOTHERS = "is another drain's"
