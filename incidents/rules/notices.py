"""Sentences about what was not evaluated, and why."""

from __future__ import annotations

from incidents.rules.contact import LIMITATION
from incidents.rules.view import View
from incidents.rules.zone import zone_notices


def notices(view: View, contact_found: bool) -> tuple[str, ...]:
    """What a camera's rules could not evaluate, over all that was seen so far.

    Args:
        view: the camera.
        contact_found: whether there was an incident of contact.
    """
    camera, rules, clock = view.camera.id, view.facility.rules, view.tables.clock[0]
    count = {name: int(clock[name]) for name in clock.dtype.names}
    found = list(zone_notices(view))
    hidden, lost, vague, rows = count["hidden"], count["lost"], count["vague"], count["rows"]
    if hidden:
        found.append(
            f"camera {camera}: feet were hidden in {hidden} of {rows} observations, by the lower edge of the "
            f"frame or furniture: {hidden - lost} placed by the head, {lost} not assessable"
            f"{': zones, lines and contact are not evaluated for those' if lost else ''}"
        )
    if vague:
        found.append(
            f"camera {camera}: in {vague} of {rows} observations, a person is partly hidden, sits or is "
            f"small, and the standard error of the position is over {rules.zone.max_position_se_m:g} m: "
            "those do not count as entering a zone"
        )
    reason = view.planned.reason
    if reason and view.camera.contact_pairs:
        found.append(f"camera {camera} is uncalibrated ({reason}): contact is not evaluated")
    if reason:
        found.append(f"camera {camera} is uncalibrated ({reason}): gathering is not evaluated")
    for name, seen, what in (("near", "two people", "contact"), ("linked", "two residents", "gathering")):
        if missed := count[f"{name}_vague"]:
            found.append(
                f"camera {camera}: for {missed} of {count[name]} observations of {seen} near each other, the "
                f"standard error of their distance is over {rules.contact.max_distance_se_m:g} m: {what} is "
                "not evaluated there"
            )
    if contact_found:
        hours = rules.contact.long_window_s / 3600
        found.append(f"camera {camera}: contact in {hours:g} h: {LIMITATION}")
    if count["repeated"]:
        found.append(
            f"camera {camera}: {count['repeated']} rows repeat a time of their track or person: only "
            "one is used"
        )
    return tuple(found)
