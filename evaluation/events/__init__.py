"""Accuracy of whole events: the case that is scored, its estimates, and evaluations of a request."""
