"""Traffic that looks real: seeded visits of made-up people, sent as the tracker sends."""
