"""What an event is judged and enriched by: sites, salts, zones, keys, places."""
