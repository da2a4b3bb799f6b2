"""Masks that are absent or worn incorrectly; `machines.mask` says when that is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from incidents.rules.events import Finding, Measure
from incidents.rules.machines.rows import INCORRECT, MASKED, UNMASKED
from incidents.rules.severity import mask_severity
from incidents.rules.view import MILLION, Group, Moment, View, is_sure
from zones.facility import Role

STATES: Mapping[int, str] = {MASKED: "masked", INCORRECT: "incorrect", UNMASKED: "unmasked"}
"""Mask state of each vote."""
KINDS: Mapping[int, str] = {UNMASKED: "mask_absent", INCORRECT: "mask_incorrect"}
"""Kind of incident of each vote that is a violation."""
_VOTES = (UNMASKED, UNMASKED, INCORRECT, INCORRECT)
"""The vote of each machine. The odd ones are for staff, who may not be unmasked during a swab."""
_STAFF = frozenset({Role.STAFF_PPE, Role.STAFF_NO_PPE})


class MaskViolations:
    """The rule for masks. A machine is that of a person (slot), a vote and a group of roles (number)."""

    name = "mask"

    def group(self, view: View, slot: int, number: int) -> Group | None:
        """What the machine has measured, or None."""
        m = view.tables.masks[slot, number]
        if not m["open"]:
            return None
        # A window may still join as long as its first agreeing vote can be one of these.
        end, settings = int(m["end"]), view.planned.plan.settings[0]
        votes = view.tables.votes[slot, : int(view.tables.persons["votes"][slot])]
        counts = (votes["state"] == _VOTES[number]) & ((votes["swab"] == 0) | (number % 2 == 1))
        joining = votes["t"][counts & (votes["t"] > end) & (votes["t"] <= end + settings["merge"])]
        undecided = max([end, *joining.tolist()]) + int(settings["mask_window"])
        return Group((int(m["track"]),), int(m["start"]), int(m["end"]), undecided)

    def persons(self, view: View, slot: int, number: int) -> tuple[int, ...]:
        """The slots of the persons."""
        return (slot,)

    def refusal(self, view: View, slot: int, number: int) -> str | None:
        """Why what was measured is no incident; None if it is one."""
        if self.fits(view, number, (view.role(slot),)):
            return None
        return f"the person is now believed to be {view.role(slot).value}, for whom other samples count"

    def fits(self, view: View, number: int, roles: tuple[Role, ...]) -> bool:
        """Whether an incident of machines with this number is one for a person of this role."""
        # Without a care station there is no swab, and the machines of all roles agree.
        staff = bool(view.planned.care) and roles[0] in _STAFF
        return staff == (number % 2 == 1)

    def alert_from(self, view: View, slot: int, number: int, t: int) -> None:
        """Ask for a signal at the first window from `t` on that finds the state."""
        view.tables.masks["alert_at"][slot, number] = t

    def machines_of(self, view: View, person: int) -> Sequence[tuple[int, int]]:
        """The machines that have measured something of a person."""
        opened = view.tables.masks["open"][person]
        return [(person, number) for number in range(len(opened)) if opened[number]]

    def finding(self, view: View, slot: int, number: int, moment: Moment) -> Finding:
        """The incident as it is known at a moment.

        The rule confidence is the share of the assessed samples of the incident that agree.
        """
        m, rules = view.tables.masks[slot, number], view.facility.rules
        rule, vote = rules.mask, _VOTES[number]
        person = view.person(slot, moment.identity[0])
        agreeing, tried = int(m["agreeing"]), int(m["tried"])
        return Finding(
            camera=view.camera.id,
            kind=KINDS[vote],
            subkind="",
            zone=None,
            identity=moment.identity,
            start=moment.start,
            end=moment.group.end,
            opened=moment.opened,
            severity=mask_severity(KINDS[vote], is_sure([person])),
            people=(person,),
            measure=Measure("agreeing_share", round(int(m["share"]) / MILLION, 6), rule.share),
            alerts=moment.alerts,
            distance_min=None,
            distance_median=None,
            distance_se=None,
            mask_state=STATES[vote],
            assessable_share=round(int(m["assessed"]) / tried, 6) if tried else None,
            detector_confidence=round(int(m["score"]) / agreeing / MILLION, 6),
            rule_confidence=round(agreeing / int(m["voting"]), 6),
            cumulative_s=None,
            thresholds={
                "min_face_px": float(rule.min_face_px),
                "min_samples": float(rule.min_samples),
                "window_s": rule.window_s,
                "min_span_s": rule.min_span_s,
                "share": rule.share,
                "swab_s": rule.swab_s,
                "min_change": rule.min_change,
                "min_changing_share": rule.min_changing_share,
                "merge_s": rules.merge_s,
                "role_confidence": rules.role_confidence,
                "realert_s": rules.realert_s,
            },
        )
