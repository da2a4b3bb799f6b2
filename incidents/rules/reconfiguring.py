"""The state of a camera's rules under another facility file: what the change does not touch goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from incidents.rules.machines.belief import update_belief
from incidents.rules.machines.episode import reset_episode
from incidents.rules.machines.plan import Machine
from incidents.rules.machines.tables import (
    FOREVER,
    GATHERING_TABLES,
    NEVER,
    PAIR_TABLES,
    Tables,
    empty_tables,
)
from incidents.rules.view import View
from zones.facility import Line, Zone, ZoneType

Key = tuple[str, int, int]
K = TypeVar("K")


@dataclass(frozen=True)
class Reconfigured:
    """The state under another facility file.

    Attributes:
        view: the camera under the new file.
        old: the camera under the old one.
        machines: number of each machine of places that goes on -> its new number.
        goes_on: whether the machines of masks, contact and gathering go on.
    """

    view: View
    old: View
    machines: Mapping[int, int]
    goes_on: Mapping[str, bool]

    def key_of(self, key: Key) -> Key | None:
        """The machine under the new file; None if it does not go on."""
        name, slot, number = key
        if name != "place":
            return key if self.goes_on[name] else None
        return None if number not in self.machines else (name, slot, self.machines[number])

    def cause(self, key: Key) -> str:
        """Why a machine does not go on."""
        name, _, number = key
        if name != "place":
            return f"the rule for {name} was changed in the facility file"
        place = self.old.planned.machines[number].place
        known = {part.id for _, part in self.view.camera.parts()}
        return f"{place.id} was {'changed in' if place.id in known else 'removed from'} the facility file"

    def other_roles(self) -> list[int]:
        """Compute the roles of all persons; the slots of those whose role or basis is another one now."""
        plan, tables = self.view.planned.plan, self.view.tables
        return [
            slot
            for slot in range(len(tables.persons))
            if tables.persons["used"][slot]
            and update_belief(
                plan.settings[0], plan.zones, plan.corners, tables.persons[slot], tables.ratios[slot]
            )
        ]


def reconfigured(old: View, new: View) -> Reconfigured:
    """Move the state of `old` to `new`, whose tables are empty, and say what goes on.

    A zone or line goes on if it, the thresholds of its rule, the schedules that it refers to and the
    calibration are the same; likewise masks, contact and gatherings.
    """
    goes_on = {
        name: _same(name, old) == _same(name, new) and _sizes(name, old) == _sizes(name, new)
        for name in ("mask", "contact", "gathering")
    }
    machines = _matches(enumerate(old.planned.machines), enumerate(new.planned.machines), old, new, _machine)
    zones = _matches(enumerate(old.camera.zones), enumerate(new.camera.zones), old, new, _part)
    lines = _matches(enumerate(old.camera.lines), enumerate(new.camera.lines), old, new, _part)
    new.tables = _moved(old, new, goes_on, machines, zones, lines)
    return Reconfigured(new, old, machines, goes_on)


def _moved(
    old: View,
    new: View,
    goes_on: Mapping[str, bool],
    machines: Mapping[int, int],
    zones: Mapping[int, int],
    lines: Mapping[int, int],
) -> Tables:
    was = old.tables
    now = empty_tables(new.planned.sizes, len(was.persons), len(was.pairs), len(was.gatherings))._replace(
        clock=was.clock,
        persons=was.persons,
        ratios=was.ratios,
        counts=was.counts,
        trails=was.trails,
        pasts=was.pasts,
    )
    count = len(was.persons)
    now.exits[:] = NEVER
    for slot in range(count):
        for z in range(now.zones.shape[1]):
            now.zones["inside"][slot, z] = now.zones["care"][slot, z] = -1
            now.zones["arrived"][slot, z] = NEVER
        for machine in range(now.places.shape[1]):
            reset_episode(now.places[slot, machine])
        for machine in range(4):
            now.masks["alert_at"][slot, machine] = FOREVER
    now.lines["first"][:] = 1
    for before, after in machines.items():
        now.places[:, after] = was.places[:, before]
    doors_before, doors_after = _doors(old), _doors(new)
    ways_before, ways_after = old.planned.plan.zones["way"], new.planned.plan.zones["way"]
    for before, after in zones.items():
        now.zones[:, after] = was.zones[:, before]
        if ways_before[before] >= 0:
            now.one_way[:, int(ways_after[after])] = was.one_way[:, int(ways_before[before])]
    for before, after in lines.items():
        now.lines[:, after] = was.lines[:, before]
    for door, number in doors_before.items():
        if door in doors_after:
            now.exits[:, doors_after[door]] = was.exits[:, number]
    if goes_on["mask"]:
        now = now._replace(votes=was.votes, masks=was.masks)
    else:
        now.persons["votes"][:] = 0
    if goes_on["contact"]:
        now = now._replace(**{name: getattr(was, name) for name in PAIR_TABLES})
    if goes_on["gathering"]:
        now = now._replace(**{name: getattr(was, name) for name in GATHERING_TABLES})
    return now


def _matches(
    before: Iterable[tuple[int, K]],
    after: Iterable[tuple[int, K]],
    old: View,
    new: View,
    same: Callable[[View, K], str],
) -> dict[int, int]:
    """Numbers of what is the same in both: number before -> number after."""
    known = {same(new, item): number for number, item in after}
    found = ((number, same(old, item)) for number, item in before)
    return {number: known[text] for number, text in found if text in known}


def _part(view: View, part: Zone | Line) -> str:
    """All that decides where a person is, and what is allowed there."""
    names = {rule.schedule for rule in part.rules} | {"curfew"}
    schedules = {name: _json(view.facility.schedules.get(name)) for name in sorted(names)}
    rules, calibration = view.facility.rules, view.camera.calibration
    return json.dumps(
        [
            part.model_dump_json(exclude={"name"}),
            rules.zone.model_dump_json(),
            rules.merge_s,
            rules.realert_s,
            schedules,
            view.facility.timezone,
            calibration.model_dump_json() if calibration else None,
        ]
    )


def _machine(view: View, machine: Machine) -> str:
    return json.dumps(
        [
            _part(view, machine.place),
            sorted(machine.roles),
            machine.wrong_way,
        ]
    )


def _same(name: str, view: View) -> str:
    """All that decides what the rule of a kind measures."""
    rules, camera = view.facility.rules, view.camera
    special = [zone for zone in camera.zones if zone.type in (ZoneType.EXEMPT, ZoneType.CARE_STATION)]
    parts = [
        rules.mask.model_dump_json(),
        rules.merge_s,
        rules.realert_s,
        camera.calibration.model_dump_json() if camera.calibration else None,
        [_part(view, zone) for zone in special],
    ]
    if name == "contact":
        parts += [rules.contact.model_dump_json(), sorted(camera.contact_pairs)]
    elif name == "gathering":
        parts += [rules.gathering.model_dump_json(), rules.contact.model_dump_json()]
    return json.dumps(parts)


def _sizes(name: str, view: View) -> tuple[int, ...]:
    sizes = view.planned.sizes
    if name == "mask":
        return (sizes.votes,)
    return (sizes.contacts, sizes.bins) if name == "contact" else (sizes.gathering_bins,)


def _doors(view: View) -> dict[str, int]:
    """Numbers of the doors by what they are: the zone, or the line and the direction."""
    doors: dict[str, int] = {}
    for number, zone in enumerate(view.camera.zones):
        if (door := int(view.planned.plan.zones["door"][number])) >= 0:
            doors[_part(view, zone)] = door
    for number, line in enumerate(view.camera.lines):
        if (door := int(view.planned.plan.lines["door"][number])) >= 0:
            doors[f"{_part(view, line)}>"] = door
            doors[f"{_part(view, line)}<"] = door + 1
    return doors


def _json(windows: object) -> str:
    return "" if windows is None else repr(windows)
