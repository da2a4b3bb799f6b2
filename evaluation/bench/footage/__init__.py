"""Footage for benchmarks, built from recordings: a quiet camera, and many partly occupied cameras."""
