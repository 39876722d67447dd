"""A request in, an answer out: how a beacon reaches the edge, and what it is told."""
