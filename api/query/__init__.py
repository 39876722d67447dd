"""Questions answered: parse → plan → rows → answer."""
