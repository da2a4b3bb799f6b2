"""Batch analysis: footage in, observations, coverage and incidents out, resumable after any kill."""
