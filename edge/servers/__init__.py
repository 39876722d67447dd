"""A Redis as the edge meets it: a connection of its own, and what the server's word is worth."""
