"""All rules over one camera's observations: a pure function from what was seen to what is suspected."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl

from incidents.rules.contact import evaluate_contact
from incidents.rules.episode import Finding
from incidents.rules.exposure import Exposure
from incidents.rules.gathering import evaluate_gatherings
from incidents.rules.mask import evaluate_masks
from incidents.rules.position import position_notices
from incidents.rules.samples import RuleError, read_samples
from incidents.rules.stitching import stitch_tracklets
from incidents.rules.zone import evaluate_zones, zone_notices
from vision.ground import locate
from vision.roles import assign_roles
from zones.facility import Camera, Facility

__all__ = ["Exposure", "Finding", "RuleError", "RuleResult", "evaluate_rules"]

AT_ONCE = 2
"""Kinds of incident judged at once."""


@dataclass(frozen=True)
class RuleResult:
    """What the rules say of one camera's observations.

    Attributes:
        findings: sorted by (start, kind, zone, tracks).
        notices: sentences about what was not judged, and why.
        exposures: care at care stations, which is logged, sorted by (start, zone, tracks).
    """

    findings: tuple[Finding, ...]
    notices: tuple[str, ...]
    exposures: tuple[Exposure, ...] = ()


def evaluate_rules(observations: pl.DataFrame, facility: Facility, camera: Camera) -> RuleResult:
    """Judge the observations of one camera.

    Pure: equal input gives an equal result, and nothing but the input matters. Roles and ground
    positions are filled in from the facility as it is now, whatever the log holds. Rows may come in any
    order in which the time of each track goes forward.

    Args:
        observations: rows with the columns of `vision.observations.SCHEMA`.
        facility: thresholds, schedules.
        camera: zones, lines, calibration, roles.

    Raises:
        RuleError: a row is of another camera; or within a track, time goes backwards.
        CalibrationError: the camera's calibration points do not fix the ground plane.
    """
    known_from = facility.rules.role_confidence
    complete = assign_roles(locate(observations, camera), camera, known_from)
    tracks, repeated = read_samples(complete, camera.id, facility.rules.mask.min_face_px)
    samples = stitch_tracklets(tracks, known_from)
    # Kinds do not know of each other, and numpy lets go of the interpreter while it computes.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        masks = pool.submit(evaluate_masks, samples, facility, camera)
        zones = pool.submit(evaluate_zones, samples, facility, camera)
        contact = pool.submit(evaluate_contact, samples, facility, camera)
        gathering = pool.submit(evaluate_gatherings, samples, facility, camera)
        contacts, (gatherings, gathering_notices) = contact.result(), gathering.result()
        findings = [*masks.result(), *zones.result(), *contacts.findings, *gatherings]
    notices = [
        *zone_notices(camera),
        *position_notices(samples, facility, camera),
        *contacts.notices,
        *gathering_notices,
    ]
    if repeated:
        notices.append(
            f"camera {camera.id}: {repeated} rows repeat a time of their track; the first of each was judged"
        )
    findings.sort(key=lambda finding: (finding.start, finding.kind, finding.zone or "", finding.tracks))
    exposures = sorted(contacts.exposures, key=lambda item: (item.start, item.zone, item.tracks))
    return RuleResult(tuple(findings), tuple(notices), tuple(exposures))
