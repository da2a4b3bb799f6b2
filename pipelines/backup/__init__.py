"""Backups of a home, taken while it is written, and homes made from them."""
