"""Who may send, for which site, and how often: the core's rules, and what goes beyond them."""
