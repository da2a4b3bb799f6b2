"""The footage of live cameras: evidence that is cut from it, and how long it is kept."""
