"""What a valid facility file contains that is probably not meant."""

from __future__ import annotations

from zones.checking import ignoring, overlap, placement, raising, rules, shape, streams
from zones.checking.findings import Check, Finding, Severity
from zones.errors import LazarettoError
from zones.facility import parse_facility
from zones.loading import read_document
from zones.migrating import version_of, written_at
from zones.validation import path_of

__all__ = ["FRAME_ASPECT", "Check", "Finding", "Severity", "check_facility"]

FRAME_ASPECT = 16 / 9
"""Width over height of the image, which a facility file does not contain: the ratio of most cameras now.

Project default (docs/defaults.md).
"""


def check_facility(text: str, name: str = "<text>", aspect: float = FRAME_ASPECT) -> tuple[Finding, ...]:
    """All findings on the text of a facility file, in the order of its lines.

    `aspect` is the width over the height of the cameras' images.

    Raises:
        LazarettoError: the text is no facility file, or the aspect is not that of an image.
    """
    if not 0.1 <= aspect <= 10:
        raise LazarettoError(f"expected an aspect of 0.1 to 10, got {aspect:g}")
    facility = parse_facility(text, name)
    document = read_document(text, name)
    version = version_of(document, name)
    remarks = [*placement.unseen_places(facility), *rules.unused_schedules(facility)]
    for i, camera in enumerate(facility.cameras):
        loc = ("cameras", i)
        remarks += placement.forbidden_places(camera, loc)
        remarks += streams.substreams(camera, loc)
        remarks += shape.shapes(facility, camera, loc, aspect)
        remarks += ignoring.ignored(camera, loc)
        remarks += overlap.overlaps(facility, camera, loc)
        remarks += rules.ineffective_rules(facility, camera, loc)
        remarks += raising.little_raised(facility, camera, loc, aspect)
    findings = []
    for remark in remarks:
        at = written_at(remark.loc, version)
        line = document.line(at)
        findings.append(
            Finding(remark.severity, remark.check, remark.camera, path_of(at), line, remark.sentence)
        )
    return tuple(sorted(findings, key=lambda finding: finding.line))
