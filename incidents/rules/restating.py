"""The severity of an incident that is over, when what is believed of its people has changed."""

from __future__ import annotations

from incidents.rules.events import Finding, Person
from incidents.rules.severity import contact_severity, mask_severity, zone_severity
from incidents.rules.view import View, is_sure
from zones.facility import ZoneType


def severity_of(view: View, finding: Finding, people: tuple[Person, ...]) -> str:
    """The severity of a finding, if its people are as given."""
    sure = is_sure(people)
    if finding.kind == "zone_crossing":
        return zone_severity(ZoneType(str(finding.thresholds["zone_type"])), people[0].role, sure)
    if finding.kind in ("mask_absent", "mask_incorrect"):
        return mask_severity(finding.kind, sure)
    if finding.kind == "contact":
        rule = view.facility.rules.contact
        return contact_severity(
            [person.role for person in people],
            sure=sure,
            unmasked=finding.mask_state == "unmasked",
            touched=finding.distance_min is not None and finding.distance_min < rule.touch_m,
            long=finding.cumulative_s is not None and finding.cumulative_s >= rule.long_s,
        )
    return finding.severity
