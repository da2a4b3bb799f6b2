"""Facility files as commands meet them: which one is meant, the first one, and writing one."""
