"""Accuracy against truth, measured through the code that runs in production."""
