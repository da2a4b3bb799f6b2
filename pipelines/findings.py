"""What a check found: a line with a level, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """One line of a check.

    Attributes:
        level: how bad it is.
        subject: what was looked at.
        text: what was found, in one sentence.
        advice: what to do; "" where nothing has to be done.
    """

    level: Level
    subject: str
    text: str
    advice: str = ""

    def to_dict(self) -> dict[str, str]:
        """Plain data for JSON."""
        return {
            "level": self.level.value,
            "subject": self.subject,
            "text": self.text,
            "advice": self.advice,
        }


def worst(findings: Iterable[CheckFinding]) -> Level:
    """The worst level of findings; ok where there are none."""
    return max((finding.level for finding in findings), key=list(Level).index, default=Level.OK)
