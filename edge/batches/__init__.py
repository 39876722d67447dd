"""Many beacons, one write: batches, their numbers, and what is left of a worker that died."""
