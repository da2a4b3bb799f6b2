"""The rules on a log that is looked at as a whole: what they found up to its end, and who its persons are.

This is for evaluation and for suggestions, where all that was seen lies at hand. Batch, live and replay give
the rules one part of the log after the other (`incidents.evaluate_log`) and record the events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from incidents.evaluate_log import ChunkResult, FoundIncidents
from incidents.rules.engine import Advance, CameraRules
from incidents.rules.events import Finding
from incidents.rules.machines.plan import Floats, Ints
from incidents.rules.machines.rows import ROW
from incidents.rules.machines.tables import FOREVER, Table
from incidents.rules.reading import in_order, rows_of
from vision.observations import HOUR
from zones.facility import Camera, Facility

Links = Sequence[tuple[int, int]]
"""Pairs of tracks (earlier, later) of one person, in order of time (`incidents.rules.engine.Advance`)."""


@dataclass(frozen=True)
class LogResult:
    """What the rules found in a log.

    Attributes:
        findings: the incidents that were opened and not withdrawn, as known at the end of the log; by start,
            kind, zone and tracks.
        links: the tracks that the rules found to be of one person.
        notices: sentences about what was not evaluated, and why.
    """

    findings: tuple[Finding, ...]
    links: Links
    notices: tuple[str, ...]


@dataclass(frozen=True)
class PersonRows:
    """The rows of a log, sorted by person and time; N rows, one for each person and analysed frame.

    Attributes:
        rows: (N,) of `incidents.rules.machines.rows.ROW`.
        aspect: (N,) width / height of the frame.
        person: (N,) code 0, 1, ... of a person: one track, or several that the rules linked.
    """

    rows: Table
    aspect: Floats
    person: Ints


def evaluate_observations(observations: pl.DataFrame, facility: Facility, camera: str) -> LogResult:
    """Evaluate the rules on all observations of a camera, up to the last one: the end closes no incident.

    Args:
        observations: rows with the columns of `vision.observations.SCHEMA`, in any order.
        facility: it has the camera, thresholds and schedules.
        camera: id of the camera.

    Raises:
        RuleError: a row is of another camera, or has no time.
        FacilityError: the facility has no such camera.
        CalibrationError: the calibration points of the camera do not determine the ground plane.
    """
    rules = CameraRules(facility, camera)
    ordered = in_order(observations, camera, 0, FOREVER)
    t = ordered["t"].dt.timestamp("us").to_numpy()
    found = Advance()
    # Hour by hour, so that memory does not grow with the length of the log.
    for hour in np.unique(t // HOUR).tolist():
        first, end = np.searchsorted(t, [hour * HOUR, (hour + 1) * HOUR]).tolist()
        part = rules.advance(int(t[end - 1]) + 1, ordered[first:end])
        found.events += part.events
        found.links += part.links
    known = FoundIncidents()
    ongoing = tuple(event.finding for event in rules.open_state().events)
    known.add(ChunkResult(rules.now, len(t), tuple(found.events), (), ongoing))
    findings = sorted(known.findings.values(), key=lambda f: (f.start, f.kind, f.zone or "", f.identity))
    return LogResult(tuple(findings), tuple(found.links), rules.notices())


def rows_by_person(
    observations: pl.DataFrame, facility: Facility, camera: Camera, links: Links
) -> PersonRows:
    """The rows of a camera's observations, by person.

    Of rows that repeat a time of their track, the first is used, as by the rules.

    Raises:
        RuleError: a row is of another camera, or has no time.
        CalibrationError: the calibration points of the camera do not determine the ground plane.
    """
    runs = list(rows_of(in_order(observations, camera.id, 0, FOREVER), facility, camera))
    rows = np.concatenate([np.zeros(0, ROW), *(np.asarray(part) for _, part in runs)])
    aspect = np.concatenate([np.zeros(0), *(np.full(len(part), value) for value, part in runs)])
    person = _persons(rows["track"], links)
    order = np.lexsort((rows["t"], person))
    t, track = rows["t"][order], rows["track"][order]
    once = np.ones(len(order), dtype=np.bool_)
    once[1:] = (np.diff(t) != 0) | (np.diff(track) != 0)
    order = order[once]
    return PersonRows(rows[order], aspect[order], person[order])


def first_tracks(links: Links) -> dict[int, int]:
    """Later track of a person -> first track of the same person; a person's first track is left out."""
    first: dict[int, int] = {}
    for earlier, later in links:
        first[later] = first.get(earlier, earlier)
    return first


def _persons(track: Ints, links: Links) -> Ints:
    """Code (N,) of the person of each track (N,), in the order of their first tracks' numbers."""
    first = first_tracks(links)
    tracks, which = np.unique(track, return_inverse=True)
    roots = np.array([first.get(one, one) for one in tracks.tolist()], dtype=np.int64)
    return np.asarray(np.unique(roots, return_inverse=True)[1][which], dtype=np.int64)
