"""The root of every error that is meant for a user."""


class LazarettoError(Exception):
    """An error whose text is one clear sentence for the person running the program."""
