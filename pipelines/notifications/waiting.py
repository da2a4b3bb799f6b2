"""Why messages in the queue wait: quiet hours, the hourly limit, or another attempt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

import numpy as np

from pipelines.notifications.configuration import Target
from pipelines.notifications.messages import Message
from pipelines.notifications.store import Store
from vision.frames import SECOND
from zones.schedule import is_active

LONGEST_WAIT_S = 900.0
"""Seconds between two attempts, at most. Project default (docs/defaults.md)."""
HOUR_US = 3600 * SECOND
_MINUTE_US = 60 * SECOND


class Reason(StrEnum):
    """Why messages wait."""

    QUIET = "quiet"
    LIMIT = "limit"
    RETRY = "retry"
    """The target did not take a message; it is not asked with the others before it is asked again."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Messages to a target that wait for the same reason.

    Attributes:
        reason: why they wait.
        messages: how many.
        until: until when the first of them waits, at the latest, microseconds UTC; None = quiet hours that
            never end.
    """

    reason: Reason
    messages: int
    until: int | None


def waits_of(name: str, target: Target, store: Store, now: int) -> tuple[Wait, ...]:
    """Why messages to a target wait, and until when; messages that are due have no reason.

    Args:
        name: of the target.
        target: as the file of notifications has it.
        store: the queue.
        now: microseconds UTC.

    Raises:
        StoreError: the queue cannot be read.
    """
    free_at, pending = limit_until(name, target, store, now), store.pending(name)
    asked_at = max((one.next for one in pending if is_ahead(one.next, now)), default=None)
    found: dict[Reason, list[int | None]] = {}
    for message in pending:
        if (held := _holding(target, message, asked_at, free_at, now)) is not None:
            found.setdefault(held[0], []).append(held[1])
    return tuple(
        Wait(reason, len(found[reason]), min((t for t in found[reason] if t is not None), default=None))
        for reason in Reason
        if reason in found
    )


def is_quiet(target: Target, message: Message, now: int) -> bool:
    """Whether quiet hours hold a message now."""
    if not target.quiet or target.let_through(message.draft.severity):
        return False
    return bool(is_active(target.quiet, now, ZoneInfo(message.draft.timezone)))


def left_of_limit(name: str, target: Target, store: Store, now: int) -> int | None:
    """How many messages the hourly limit of a target allows now; None = it has none.

    Raises:
        StoreError: the queue cannot be read.
    """
    if target.limit is None:
        return None
    return max(0, target.limit - len(store.sent_times(name, now - HOUR_US, now)))


def limit_until(name: str, target: Target, store: Store, now: int) -> int | None:
    """Until when the hourly limit of a target allows no message, microseconds UTC; None = it allows one.

    Raises:
        StoreError: the queue cannot be read.
    """
    if target.limit is None:
        return None
    sent = store.sent_times(name, now - HOUR_US, now)
    return sent[-target.limit] + HOUR_US if len(sent) >= target.limit else None


def is_ahead(moment: int, now: int) -> bool:
    """Whether the time of the next attempt still lies ahead; both in microseconds UTC.

    A time that lies further ahead than the longest wait was noted while the clock was wrong.
    """
    return now < moment <= now + round(LONGEST_WAIT_S * SECOND)


def _holding(
    target: Target, message: Message, asked_at: int | None, free_at: int | None, now: int
) -> tuple[Reason, int | None] | None:
    """What holds a message, and until when; of several reasons the first. None = nothing does."""
    if is_quiet(target, message, now):
        return Reason.QUIET, _quiet_until(target, message, now)
    if asked_at is not None:
        return Reason.RETRY, asked_at
    if free_at is not None and not target.let_through(message.draft.severity):
        return Reason.LIMIT, free_at
    return None


def _quiet_until(target: Target, message: Message, now: int) -> int | None:
    """The minute in which quiet hours end that hold a message, microseconds UTC; None = they do not."""
    minutes = now // _MINUTE_US * _MINUTE_US + np.arange(1, 2 * 24 * 60) * _MINUTE_US
    free = ~is_active(target.quiet, minutes, ZoneInfo(message.draft.timezone))
    return int(minutes[free.argmax()]) if free.any() else None
