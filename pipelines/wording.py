"""Words of sentences that several modules build."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number with its noun, which takes an s unless there is one: "1 camera", "2 cameras"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
