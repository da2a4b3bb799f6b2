"""The time of live cameras: the time of day that never goes back, and the timestamps of streams in it."""
