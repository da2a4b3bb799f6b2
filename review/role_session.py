"""A labelling session: groups of tracks that look alike, each of which gets a role by one key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

from vision.roles.model import ROLES
from zones.errors import LazarettoError
from zones.facility import Role

SKIPPED = "skipped"
"""Answer for a group that shows no role, or several."""
ENOUGH_CROPS = 20
"""Number of labelled crops of a role that is enough to begin with. Project default (docs/defaults.md)."""


class LabelError(LazarettoError):
    """A step of the page is impossible."""


@dataclass(frozen=True)
class Group:
    """Tracks that look alike.

    Attributes:
        id: id of the group on the page.
        tracks: ids of its tracks.
        answer: a role, SKIPPED, or None before it was answered.
    """

    id: int
    tracks: tuple[str, ...]
    answer: str | None = None


class GroupState(TypedDict):
    """A group as the page shows it: number of tracks (`people`) and indices of its crops."""

    id: int
    answer: str | None
    people: int
    crops: list[int]


class RoleCount(TypedDict):
    """Number of labelled crops and tracks (`people`) of a role."""

    crops: int
    people: int


class SessionState(TypedDict):
    """A session as the page shows it; `at` is the index of the current group, `counts` are by role."""

    groups: list[GroupState]
    at: int
    counts: dict[str, RoleCount]
    wanted: int
    can_undo: bool


class LabelSession:
    """Groups of tracks, their answers, and the history for undo. It knows neither images nor pages."""

    def __init__(
        self,
        crops: Sequence[str],
        groups: Sequence[Sequence[str]],
        split: Callable[[Sequence[str]], Sequence[Sequence[str]]],
    ) -> None:
        """Start with no answers.

        Args:
            crops: the track of each crop.
            groups: groups of tracks that look alike, in the order in which they are shown.
            split: splits the tracks of a group that shows more than one role.
        """
        self._crops = list(crops)
        self._split_tracks = split
        self._next_id = len(groups)
        self._groups = tuple(Group(n, tuple(tracks)) for n, tracks in enumerate(groups))
        self._current = 0
        self._history: list[tuple[tuple[Group, ...], int]] = []

    def answer(self, group: int, role: str) -> None:
        """Give a group a role (or SKIPPED); the next group without an answer becomes the current one.

        Raises:
            LabelError: there is no such group or role.
        """
        if role != SKIPPED and role not in {known.value for known in ROLES}:
            raise LabelError(f"expected a role among {', '.join(ROLES)}, got {role!r}")
        index = self._index_of(group)
        self._remember()
        self._replace_group(index, [replace(self._groups[index], answer=role)])
        waiting = [n for n, item in enumerate(self._groups) if item.answer is None]
        self._current = next((n for n in waiting if n > index), waiting[0] if waiting else index)

    def split(self, group: int) -> None:
        """Split a group that shows more than one role; a group that cannot be split is skipped.

        Raises:
            LabelError: there is no such group.
        """
        index = self._index_of(group)
        parts = self._split_tracks(self._groups[index].tracks)
        if len(parts) < 2:
            self.answer(group, SKIPPED)
            return
        self._remember()
        self._replace_group(index, [Group(self._next_id + n, tuple(part)) for n, part in enumerate(parts)])
        self._next_id += len(parts)
        self._current = index

    def undo(self) -> None:
        """Undo the last step, if there was one."""
        if self._history:
            self._groups, self._current = self._history.pop()

    def labels(self) -> dict[int, Role]:
        """The roles of the labelled crops, by the index of the crop."""
        answers = {track: group.answer for group in self._groups for track in group.tracks}
        return {
            number: Role(answer)
            for number, track in enumerate(self._crops)
            if (answer := answers.get(track)) is not None and answer != SKIPPED
        }

    def state(self) -> SessionState:
        """The state that the page shows."""
        by_track: dict[str, list[int]] = {}
        for number, track in enumerate(self._crops):
            by_track.setdefault(track, []).append(number)
        groups: list[GroupState] = [
            {
                "id": group.id,
                "answer": group.answer,
                "people": len(group.tracks),
                "crops": [number for track in group.tracks for number in by_track[track]],
            }
            for group in self._groups
        ]
        counts: dict[str, RoleCount] = {
            role.value: {
                "crops": sum(len(by_track[t]) for g in self._groups if g.answer == role for t in g.tracks),
                "people": sum(len(g.tracks) for g in self._groups if g.answer == role),
            }
            for role in ROLES
        }
        return {
            "groups": groups,
            "at": self._current,
            "counts": counts,
            "wanted": ENOUGH_CROPS,
            "can_undo": bool(self._history),
        }

    def _index_of(self, group: int) -> int:
        for index, item in enumerate(self._groups):
            if item.id == group:
                return index
        raise LabelError(f"expected the number of a group on the page, got {group!r}")

    def _remember(self) -> None:
        self._history.append((self._groups, self._current))

    def _replace_group(self, index: int, groups: Sequence[Group]) -> None:
        self._groups = (*self._groups[:index], *groups, *self._groups[index + 1 :])
