"""To the primary or to the spool: who notices that one is away, and that it is well again."""
