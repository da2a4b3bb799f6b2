"""Errors of this package that are meant for a user."""


class ModelError(Exception):
    """Weights, data or a recipe are not what was expected; the message is one sentence."""
