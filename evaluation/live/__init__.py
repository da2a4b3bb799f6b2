"""The watch of live cameras under load and over time: a process as a user starts it, and what it costs."""
