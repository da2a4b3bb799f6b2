"""Facility files: finding one, creating the first one, migrating an old one, and writing one."""
