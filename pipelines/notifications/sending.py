"""What a way to a target must be able to do."""

from __future__ import annotations

from typing import Protocol

from pipelines.notifications.messages import Draft

SEND_S = 60.0
"""Seconds in which a target must have taken a message. Project default (docs/defaults.md)."""


class SendError(Exception):
    """A message was not taken, or it is not known whether it was; the text says why, without credentials."""


class Channel(Protocol):
    """A way to one target, used by one thread."""

    def send(self, draft: Draft) -> None:
        """Send a message, and return when the target has taken it.

        Raises:
            SendError: it was not taken, or not in time.
        """

    def close(self) -> None:
        """Let go of connections."""
