"""Follow the history of the ledger, and decide who is told of what."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from incidents.ledger import Ledger
from incidents.ledger.history import HistoryEntry
from incidents.record import Incident, Status
from incidents.rule_record import RuleRecord
from pipelines.notifications.configuration import Configuration, Language, Target, rank
from pipelines.notifications.names import FacilityNames
from pipelines.notifications.store import STEP, Store
from pipelines.notifications.words import News, Told, message_of
from vision.clock import Clock
from vision.frames import SECOND

ENTRIES_AT_ONCE = 200
"""Entries of the history that are read in one step. Project default (docs/defaults.md)."""
MINUTE_US = 60 * SECOND

logger = logging.getLogger(__name__)


@dataclass
class Follower:
    """Reads what is new in the ledger, and queues what the targets are to be told.

    Where it was is stored together with the messages: a kill at any moment loses and doubles nothing.

    Attributes:
        ledger, store: open, of this thread.
        configuration: the targets.
        clock: the time of day.
    """

    ledger: Ledger
    store: Store
    configuration: Configuration
    clock: Clock

    def __post_init__(self) -> None:
        """Begin without names of cameras."""
        self._names = FacilityNames(self.ledger)

    def begin(self) -> None:
        """Find the place at which to go on; what the ledger held before the first start is not told.

        Raises:
            LazarettoError: the ledger or the queue cannot be used.
        """
        position = self.store.position()
        if position is None:
            entry, at = self.ledger.history.last_until()
            if entry:
                logger.info("notifications begin with what happens from now on; what is older is not told")
        elif self.ledger.history.time_of(position[0]) == position[1] or position == (0, 0):
            return
        else:
            # A ledger that was restored from a copy has other entries under the same numbers.
            entry, at = self.ledger.history.last_until(position[1])
            logger.warning("the ledger is not the one that was followed; what was recorded later is told")
        with self.store.writing():
            self.store.move(entry, at)
            self.store.await_no_review()

    def step(self) -> bool:
        """Deal with the next entries; returns whether there may be more.

        Raises:
            LazarettoError: the ledger or the queue cannot be used. Nothing was left out: to be repeated.
        """
        position = self.store.position()
        entries = self.ledger.history.after(0 if position is None else position[0], ENTRIES_AT_ONCE)
        if entries:
            too_old = 0
            with self.store.writing():
                for entry in entries:
                    too_old += self._take(entry)
                self.store.move(entries[-1].id, entries[-1].at, too_old)
            if too_old:
                logger.warning(
                    "%d entries of incidents are not told: they are of footage that is older than %g h",
                    too_old,
                    self.configuration.give_up_after_h,
                )
        return len(entries) == ENTRIES_AT_ONCE

    def escalate(self) -> None:
        """Tell further targets of incidents whose review has not begun in time.

        Raises:
            LazarettoError: the ledger or the queue cannot be used; to be repeated.
        """
        now = self.clock.now()
        for name, since in self.store.unreviewed().items():
            if not any(now >= since + step.due_us("critical") for step in self.configuration.escalation):
                continue
            incident = self.ledger.incidents.get(name)
            with self.store.writing():
                if incident.status is not Status.NEW or now - since > self._longest_us():
                    self.store.review_begun(name)
                else:
                    self._take_steps(incident, since, now)

    def _take_steps(self, incident: Incident, since: int, now: int) -> None:
        record = incident.rule_record()
        for number, step in enumerate(self.configuration.escalation, start=1):
            if rank(record.severity) < rank(step.severity) or now < since + step.due_us(record.severity):
                continue
            for name in step.targets:
                target = self.configuration.targets[name]
                taken = STEP.format(target=name, number=number)
                if not target.concerns(record.facility_code, record.kind):
                    continue
                if self.store.told(taken, record.id) is None:
                    self.store.tell(taken, record.id, record.severity, now)
                    self.store.tell(name, record.id, record.severity, now)
                    waited = (now - since) // MINUTE_US
                    self._send(
                        name, target, self._news("escalated", record, since, step=number, waited_min=waited)
                    )

    def _longest_us(self) -> int:
        """After this time no step is to come, whatever the severity."""
        longest = max((step.due_us("low") for step in self.configuration.escalation), default=0)
        return longest + self.configuration.give_up_us

    def _take(self, entry: HistoryEntry) -> int:
        """Queue what the targets are told of an entry; returns 1 if it was too old to be told, else 0."""
        if entry.to_status is not None and entry.to_status is not Status.NEW:
            self.store.review_begun(entry.incident)
        if entry.event == "withdrawn":
            self.store.forget_steps(entry.incident)
        if not isinstance(entry.detail, RuleRecord) or entry.event == "rejudged":
            return 0
        record, t = entry.detail, entry.at if entry.t is None else entry.t
        if self.clock.now() - t > self.configuration.give_up_us:
            return 1
        if entry.event in ("opened", "added") and self.configuration.escalation:
            self.store.await_review(entry.incident, entry.at)
        for name, target in self.configuration.targets.items():
            self._tell(name, target, entry, record, t)
        return 0

    def _tell(self, name: str, target: Target, entry: HistoryEntry, record: RuleRecord, t: int) -> None:
        what: Told | Literal["extended"]
        before = self.store.told(name, record.id)
        if entry.event == "withdrawn":
            if before is not None:
                news = self._news("withdrawn", record, t, reason=entry.reason or "")
                self._send(name, target, news)
                self.store.forget(name, record.id)
            return
        if before is None:
            passes = rank(record.severity) >= rank(target.severity)
            if not passes or not target.concerns(record.facility_code, record.kind):
                return
            # One that comes late, such as one that became more severe, is told as if it was opened.
            what = "closed" if entry.event == "closed" and "opened" not in target.events else "opened"
            before = record.severity
        else:
            what = _followed(entry, record, t, before)
        if what != "extended" and what in target.events:
            changed = before if before != record.severity else ""
            self._send(name, target, self._news(what, record, t, severity_before=changed))
        self.store.tell(name, record.id, record.severity, self.clock.now())

    def _news(
        self,
        what: Told,
        record: RuleRecord,
        t: int,
        *,
        reason: str = "",
        step: int = 0,
        waited_min: int = 0,
        severity_before: str = "",
    ) -> News:
        names = self._names.of_record(record)
        return News(what, record, names, t, reason, step, waited_min, severity_before)

    def _send(self, name: str, target: Target, news: News) -> None:
        draft = message_of(news, name, self._language(target), self.configuration.see)
        self.store.queue(draft, self.clock.now())

    def _language(self, target: Target) -> Language:
        return target.lang or self.configuration.lang


def _followed(entry: HistoryEntry, record: RuleRecord, t: int, before: str) -> Told | Literal["extended"]:
    """What an entry means to whom was told of the incident before; extended = nothing worth a message."""
    if entry.event == "closed":
        return "closed"
    if record.severity != before:
        return "corrected"
    if entry.event == "alerted" and t != record.opened:
        return "alerted"
    return "extended"
