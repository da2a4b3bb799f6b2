"""Notifications: who is told of incidents and when, and what became of each message."""
