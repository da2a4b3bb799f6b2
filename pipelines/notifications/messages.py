"""Messages, before and while they wait to be sent."""

from __future__ import annotations

from dataclasses import dataclass

from incidents.rule_record import Severity


@dataclass(frozen=True, slots=True)
class Draft:
    """A message before it is queued.

    Attributes:
        target: name of the target.
        key: the same for the same message, however often it is sent.
        severity: of the incident; of a digest the highest.
        timezone: of the facility, IANA name.
        title, body: the text.
        payload: the same as JSON text, for programs.
        digest: whether it gathers others.
    """

    target: str
    key: str
    severity: Severity
    timezone: str
    title: str
    body: str
    payload: str
    digest: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A message in the queue.

    Attributes:
        id: grows with every message.
        draft: what is sent.
        queued: microseconds UTC.
        held: whether quiet hours have held it.
        ready: when nothing held it any more, microseconds UTC; None = it is still held.
        attempts: how often it was tried.
        next: when it is tried again, microseconds UTC.
        error: why the last attempt failed; "" = none did.
    """

    id: int
    draft: Draft
    queued: int
    held: bool
    ready: int | None
    attempts: int
    next: int
    error: str
