"""How networks run: their form (format and precision), and what loads and calls them."""
