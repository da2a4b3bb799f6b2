"""Errors of this package that are meant for a user."""


class ModelError(Exception):
    """Weights, data or a recipe are not what was expected; the message is one sentence."""


def reason_of(error: Exception) -> str:
    """What an error of another package says, in one line; its kind where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
