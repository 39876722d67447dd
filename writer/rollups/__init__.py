"""The rollup stage: sums by site, day and value, kept true behind the store."""
