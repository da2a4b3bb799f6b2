"""Watching live cameras."""
