"""Everything at once: the product, people on a made-up site, an outage, and the account."""
