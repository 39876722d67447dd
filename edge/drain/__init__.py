"""``python -m edge.drain``: brings home what waits in the spool."""
