"""Announced maintenance: what may be announced, what holds when, and that nothing of it changes later."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_samples import T0

from incidents.coverage import Interval, State
from incidents.ledger import Ledger, LedgerError
from incidents.ledger.maintenance import LONGEST
from vision.frames import SECOND

HOUR = 3600 * SECOND


class Now:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.t = T0

    def __call__(self) -> int:
        return self.t


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def ledger(tmp_path: Path, now: Now) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db", clock=now) as opened:
        yield opened


def test_a_window_holds_for_its_cameras_from_its_start_to_before_its_end(ledger: Ledger) -> None:
    made = ledger.maintenance.announce(["yard", "gate"], T0 + HOUR, T0 + 2 * HOUR, " new lens ", "An")
    assert (made.cameras, made.reason, made.by, made.announced) == (("gate", "yard"), "new lens", "An", T0)
    active = ledger.maintenance.active
    assert active("yard", T0 + HOUR - 1) is None
    assert active("yard", T0 + HOUR) == made == active("gate", T0 + 2 * HOUR - 1)
    assert active("yard", T0 + 2 * HOUR) is None
    assert active("lobby", T0 + HOUR) is None
    of_all = ledger.maintenance.announce(None, None, T0 + HOUR + SECOND, "switch", "Bình")
    assert of_all.start == T0 and active("lobby", T0) == of_all
    assert active("yard", T0 + HOUR) == made, "of several, the first announced"
    assert ledger.maintenance.between("yard", T0, T0 + 3 * HOUR) == (made, of_all)
    assert ledger.maintenance.between("lobby", T0, T0 + 3 * HOUR) == (of_all,)
    assert ledger.maintenance.between("yard", T0 + 2 * HOUR, T0 + 3 * HOUR) == ()


def test_what_is_declared_afterwards_is_refused(ledger: Ledger, now: Now) -> None:
    now.t = T0 + HOUR
    with pytest.raises(
        LedgerError,
        match=r"expected a window from now .* 09:00:00 \+00:00.* got one from .* 08:59:59 \+00:00",
    ):
        ledger.maintenance.announce(None, T0 + HOUR - SECOND, T0 + 2 * HOUR, "lens", "An")
    assert ledger.maintenance.find() == ()
    with pytest.raises(LedgerError, match="expected an end after"):
        ledger.maintenance.announce(None, None, T0 + HOUR, "lens", "An")
    with pytest.raises(LedgerError, match="within 31 days"):
        ledger.maintenance.announce(None, None, T0 + HOUR + LONGEST + 1, "lens", "An")
    with pytest.raises(LedgerError, match="expected a reason"):
        ledger.maintenance.announce(None, None, T0 + 2 * HOUR, "  ", "An")
    with pytest.raises(LedgerError, match="expected who announces it"):
        ledger.maintenance.announce(None, None, T0 + 2 * HOUR, "lens", "")
    with pytest.raises(LedgerError, match="got none"):
        ledger.maintenance.announce([], None, T0 + 2 * HOUR, "lens", "An")


def test_an_end_holds_from_now_on_and_is_entered_once(ledger: Ledger, now: Now) -> None:
    made = ledger.maintenance.announce(["yard"], None, T0 + 2 * HOUR, "lens", "An")
    now.t = T0 + HOUR
    ended = ledger.maintenance.end(made.id, "Bình")
    assert (ended.start, ended.end, ended.until, ended.ended_by) == (T0, T0 + 2 * HOUR, T0 + HOUR, "Bình")
    assert ledger.maintenance.active("yard", T0 + HOUR - 1) == ended
    assert ledger.maintenance.active("yard", T0 + HOUR) is None
    with pytest.raises(LedgerError, match=r"expected a window that is not over.*ended by Bình"):
        ledger.maintenance.end(made.id, "An")
    with pytest.raises(LedgerError, match="expected the number of a window"):
        ledger.maintenance.end(77, "An")
    later = ledger.maintenance.announce(["yard"], None, T0 + 2 * HOUR, "lens", "An")
    now.t = T0 + 2 * HOUR
    with pytest.raises(LedgerError, match="not over"):
        ledger.maintenance.end(later.id, "An")


def test_a_window_that_has_not_begun_is_called_off(ledger: Ledger, now: Now) -> None:
    made = ledger.maintenance.announce(None, T0 + HOUR, T0 + 2 * HOUR, "lens", "An")
    ended = ledger.maintenance.end(made.id, "An")
    assert ended.until == ended.start
    assert ledger.maintenance.between("yard", T0, T0 + 3 * HOUR) == ()
    assert ledger.maintenance.find() == (ended,), "the list still tells of it"


def test_nothing_that_was_announced_can_be_changed_or_backdated(ledger: Ledger) -> None:
    made = ledger.maintenance.announce(None, T0 + HOUR, T0 + 2 * HOUR, "lens", "An")
    ledger.maintenance.end(made.id, "An")
    raw = sqlite3.connect(ledger.path)
    for statement in (
        f"UPDATE maintenance SET started = {T0}",
        "DELETE FROM maintenance",
        "INSERT OR REPLACE INTO maintenance "
        f"SELECT id, cameras, {T0}, ended, reason, by, {T0} FROM maintenance",
        "UPDATE maintenance_ends SET ended = ended + 1",
        "DELETE FROM maintenance_ends",
        "INSERT OR REPLACE INTO maintenance_ends SELECT maintenance, ended + 1, by, at FROM maintenance_ends",
        f"INSERT INTO maintenance VALUES (NULL, NULL, {T0 - 1}, {T0}, 'r', 'An', {T0})",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            raw.execute(statement)
    raw.close()
    assert ledger.faults() == ()


def test_an_outage_within_announced_maintenance_stays_planned(ledger: Ledger) -> None:
    """The window gives the state; `coverage.wins` keeps it where the camera is then found offline."""
    made = ledger.maintenance.announce(["yard"], None, T0 + HOUR, "lens", "An")
    planned = Interval("yard", made.start, made.until, State.PLANNED, made.reason)
    ledger.coverage.record("yard", [planned])
    ledger.coverage.record("yard", [Interval("yard", T0, T0 + HOUR, State.OFFLINE, "refused")])
    ledger.coverage.record("yard", [Interval("yard", T0, T0 + SECOND, State.ANALYSED)])
    states = [(one.state, one.length) for one in ledger.coverage.of("yard", T0, T0 + HOUR)]
    assert states == [(State.ANALYSED, SECOND), (State.PLANNED, HOUR - SECOND)]
