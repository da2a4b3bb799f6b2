"""What is allowed in a facility file and still not likely to be meant."""

from __future__ import annotations

from zones.checking import overlap, placement, rules, shape
from zones.checking.findings import Finding, Severity
from zones.facility import parse_facility
from zones.loading import read_document
from zones.migrating import version_of, written_at
from zones.validation import path_of

__all__ = ["FRAME_ASPECT", "Finding", "Severity", "check_facility"]

FRAME_ASPECT = 16 / 9
"""Width over height of the picture, which a facility file does not hold [D]: that of most cameras now."""


def check_facility(text: str, name: str = "<text>", aspect: float = FRAME_ASPECT) -> tuple[Finding, ...]:
    """All findings on the text of a facility file, in the order of its lines.

    `aspect` is the width over the height of the cameras' pictures.

    Raises:
        FacilityError: it cannot be read as a facility.
    """
    facility = parse_facility(text, name)
    document = read_document(text, name)
    version = version_of(document, name)
    remarks = [*placement.coverage(facility), *rules.schedules(facility)]
    for i, camera in enumerate(facility.cameras):
        loc = ("cameras", i)
        remarks += placement.placed(camera, loc)
        remarks += shape.shapes(facility, camera, loc, aspect)
        remarks += overlap.overlaps(facility, camera, loc)
        remarks += rules.judged(facility, camera, loc)
    findings = []
    for remark in remarks:
        at = written_at(remark.loc, version)
        findings.append(
            Finding(remark.severity, remark.camera, path_of(at), document.line(at), remark.sentence)
        )
    return tuple(sorted(findings, key=lambda finding: finding.line))
