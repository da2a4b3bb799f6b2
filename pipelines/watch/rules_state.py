"""The rules of a live camera across restarts: saved once a minute, and brought up to date from the log.

A state is saved after the ledger has taken the events up to it. What came later is in the observation log and
in the coverage; the rules take it again after a restart and give the same events, which the ledger knows
already.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from incidents.evaluate_log import LOOK_BACK_US, coverage_changes
from incidents.ledger import Ledger
from incidents.rules.engine import Advance, CameraRules, RuleError
from pipelines.facilities.choice import facility_of
from pipelines.home import Home
from vision import observations
from vision.observations.files import write_atomically
from zones.errors import LazarettoError
from zones.facility import Facility

FOLDER = "resume"
"""Folder of a home with what continues after an interruption."""
_LENGTH = 64
"""Characters of the version of a facility file (SHA-256) before the state."""


@dataclass(frozen=True)
class Continued:
    """Rules that go on where they were.

    Attributes:
        rules: up to the time that was asked for.
        found: what they found since the state was saved, for the ledger to take again.
        notice: why they could not go on from a saved state, or "".
    """

    rules: CameraRules
    found: Advance
    notice: str = ""


def save_rules(home: Home, rules_state: bytes, camera: str, version: str) -> None:
    """Save a state of the rules of a camera, whole or not at all.

    Args:
        home: the home.
        rules_state: what `CameraRules.save` gave.
        camera: id of the camera.
        version: of the facility file that was in force.

    Raises:
        ObservationError: the disk refuses it.
    """
    write_atomically(_path(home, camera), version.encode() + rules_state)


def continue_rules(home: Home, ledger: Ledger, facility: Facility, camera: str, until: int) -> Continued:
    """The rules of a camera, brought up to date from the observation log and the coverage.

    Without a saved state they begin a day before, as an analysis of recorded footage does.

    Args:
        home: the home.
        ledger: of that home.
        facility: the file in force now, under which rules without a saved state begin.
        camera: id of the camera.
        until: stream time up to which observations and coverage are known, microseconds UTC.

    Raises:
        LazarettoError: the log or the ledger cannot be read.
    """
    rules, notice = _restored(home, ledger, camera)
    if rules is None or rules.now > until:
        rules = CameraRules(facility, camera)
    found = Advance()
    since = max(rules.now, until - LOOK_BACK_US)
    if until <= since:
        return Continued(rules, found, notice)
    marks = coverage_changes(ledger.coverage.of(camera, since, until), (since, until))
    for hour, table in observations.read_hours(home.path, camera, since, until):
        end = min(hour + observations.HOUR, until)
        now = [mark for mark in marks if mark.t < end]
        marks = marks[len(now) :]
        _add(found, rules.advance(end, table, now))
    _add(found, rules.advance(until, None, marks))
    return Continued(rules, found, notice)


def _restored(home: Home, ledger: Ledger, camera: str) -> tuple[CameraRules | None, str]:
    try:
        data = _path(home, camera).read_bytes()
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"the saved state of the rules cannot be read: {error.strerror or error}"
    version, state = data[:_LENGTH].decode(errors="replace"), data[_LENGTH:]
    try:
        return CameraRules.restore(state, facility_of(ledger, version), camera), ""
    except (RuleError, LazarettoError) as error:
        return None, f"the saved state of the rules is not used ({error}); the last day is evaluated instead"


def _add(found: Advance, more: Advance) -> None:
    found.events += more.events
    found.exposures += more.exposures


def _path(home: Home, camera: str) -> Path:
    return home.path / FOLDER / f"rules-{camera}.state"
