"""What runs here, what is wrong with it, and what to type next."""
