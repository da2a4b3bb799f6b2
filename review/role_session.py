"""The state of one labelling of roles: groups of people that look alike, each waiting for a key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vision.roles.model import ROLES
from zones.errors import LazarettoError
from zones.facility import Role

SKIPPED = "skipped"
"""What a group is that shows no one role, or nothing to tell one by."""
WANTED = 20
"""Crops of a role that are enough to begin with [D]."""


class LabelError(LazarettoError):
    """What a page asked for cannot be done."""


@dataclass(frozen=True)
class Group:
    """Tracks that look alike; `answer` is a role, SKIPPED, or None while it waits."""

    id: int
    tracks: tuple[str, ...]
    answer: str | None = None


class LabelSession:
    """Groups of tracks, what was said of them, and every step back. Knows neither pictures nor pages."""

    def __init__(
        self,
        crops: Sequence[str],
        groups: Sequence[Sequence[str]],
        split: Callable[[Sequence[str]], Sequence[Sequence[str]]],
    ) -> None:
        """Begin.

        Args:
            crops: the track of each crop.
            groups: tracks that look alike, in the order in which to ask.
            split: divides a group that holds more than one role.
        """
        self._crops = list(crops)
        self._split = split
        self._next = len(groups)
        self._groups = tuple(Group(n, tuple(tracks)) for n, tracks in enumerate(groups))
        self._at = 0
        self._past: list[tuple[tuple[Group, ...], int]] = []

    def answer(self, group: int, role: str) -> None:
        """Name a group; the next one that waits comes up.

        Raises:
            LabelError: there is no such group or role.
        """
        if role != SKIPPED and role not in {known.value for known in ROLES}:
            raise LabelError(f"expected a role among {', '.join(ROLES)}, got {role!r}")
        place = self._place(group)
        self._remember()
        self._exchange(place, [replace(self._groups[place], answer=role)])
        waiting = [n for n, item in enumerate(self._groups) if item.answer is None]
        self._at = next((n for n in waiting if n > place), waiting[0] if waiting else place)

    def divide(self, group: int) -> None:
        """Split a group that holds more than one role; one that cannot be split is skipped.

        Raises:
            LabelError: there is no such group.
        """
        place = self._place(group)
        parts = self._split(self._groups[place].tracks)
        if len(parts) < 2:
            self.answer(group, SKIPPED)
            return
        self._remember()
        fresh = [Group(self._next + n, tuple(tracks)) for n, tracks in enumerate(parts)]
        self._next += len(fresh)
        self._exchange(place, fresh)
        self._at = place

    def undo(self) -> None:
        """Take the last step back, if there was one."""
        if self._past:
            self._groups, self._at = self._past.pop()

    def labels(self) -> dict[int, Role]:
        """Number of each crop that has a role, with it."""
        said = {track: group.answer for group in self._groups for track in group.tracks}
        return {
            number: Role(answer)
            for number, track in enumerate(self._crops)
            if (answer := said.get(track)) is not None and answer != SKIPPED
        }

    def state(self) -> dict[str, Any]:
        """What a page shows: `groups`, the number `at` which it stands, `counts` by role, `can_undo`."""
        by_track: dict[str, list[int]] = {}
        for number, track in enumerate(self._crops):
            by_track.setdefault(track, []).append(number)
        groups = [
            {
                "id": group.id,
                "answer": group.answer,
                "people": len(group.tracks),
                "crops": [number for track in group.tracks for number in by_track[track]],
            }
            for group in self._groups
        ]
        counts = {
            role.value: {
                "crops": sum(len(by_track[t]) for g in self._groups if g.answer == role for t in g.tracks),
                "people": sum(len(g.tracks) for g in self._groups if g.answer == role),
            }
            for role in ROLES
        }
        return {
            "groups": groups,
            "at": self._at,
            "counts": counts,
            "wanted": WANTED,
            "can_undo": bool(self._past),
        }

    def _place(self, group: int) -> int:
        for place, item in enumerate(self._groups):
            if item.id == group:
                return place
        raise LabelError(f"expected the number of a group on the page, got {group!r}")

    def _remember(self) -> None:
        self._past.append((self._groups, self._at))

    def _exchange(self, place: int, fresh: Sequence[Group]) -> None:
        self._groups = (*self._groups[:place], *fresh, *self._groups[place + 1 :])
