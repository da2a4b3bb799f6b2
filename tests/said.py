"""What is said to people, kept for tests."""

from __future__ import annotations

from vision.notices import Level


class Said(list[str]):
    """The sentences that it was called with, as a `vision.notices.Notice` is.

    Attributes:
        levels: of the sentences, in the same order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.levels: list[Level] = []

    def __call__(self, text: str, level: Level = Level.WARNING, /) -> None:
        self.append(text)
        self.levels.append(level)
