"""Frames to observations: sources, detection, tracking, masks and roles."""
