"""All rules on the observations of one camera: a pure function from observations to findings."""

from __future__ import annotations

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
from vision.parallel import ThreadTasks
from vision.roles import assign_roles
from zones.facility import Camera, Facility

__all__ = ["Exposure", "Finding", "RuleError", "RuleResult", "evaluate_rules"]


@dataclass(frozen=True)
class RuleResult:
    """Result of the rules for the observations of one camera.

    Attributes:
        findings: sorted by (start, kind, zone, tracks).
        notices: sentences about what was not evaluated, and why.
        exposures: entries of the exposure log, sorted by (start, zone, tracks).
    """

    findings: tuple[Finding, ...]
    notices: tuple[str, ...]
    exposures: tuple[Exposure, ...] = ()


def evaluate_rules(observations: pl.DataFrame, facility: Facility, camera: Camera) -> RuleResult:
    """Evaluate all rules on the observations of one camera.

    The result depends on the arguments only. Roles and ground positions are computed from the facility as it
    is now, whatever the log has. Rows may be in any order in which the time of each track increases.

    Args:
        observations: rows with the columns of `vision.observations.SCHEMA`.
        facility: it has the thresholds and schedules.
        camera: it has the zones, lines, calibration and roles.

    Raises:
        RuleError: a row is of another camera; or within a track, time goes backwards.
        CalibrationError: the calibration points of the camera do not determine the ground plane.
    """
    known_from = facility.rules.role_confidence
    complete = assign_roles(locate(observations, camera), camera, known_from)
    tracks, repeated = read_samples(complete, camera.id, facility.rules.mask.min_face_px)
    samples = stitch_tracklets(tracks, known_from)
    # The rules do not depend on each other.
    with ThreadTasks() as tasks:
        masks = tasks.start(evaluate_masks, samples, facility, camera)
        zones = tasks.start(evaluate_zones, samples, facility, camera)
        contact = tasks.start(evaluate_contact, samples, facility, camera)
        gathering = tasks.start(evaluate_gatherings, samples, facility, camera)
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
            f"camera {camera.id}: {repeated} rows repeat a time of their track: only the first is used"
        )
    findings.sort(key=lambda finding: (finding.start, finding.kind, finding.zone or "", finding.tracks))
    exposures = sorted(contacts.exposures, key=lambda item: (item.start, item.zone, item.tracks))
    return RuleResult(tuple(findings), tuple(notices), tuple(exposures))
