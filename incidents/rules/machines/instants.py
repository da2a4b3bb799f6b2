"""The machines driven by time: rows instant by instant, and what is due between them."""

from __future__ import annotations

import math

from incidents.rules.compiling import compiled
from incidents.rules.machines.belief import add_origin, add_reading, update_belief
from incidents.rules.machines.gathering import step_gatherings
from incidents.rules.machines.geometry import is_vague, probability_under
from incidents.rules.machines.link import add_to_trail, next_decision, predecessor_of, undecided_at
from incidents.rules.machines.mask import step_mask
from incidents.rules.machines.pair import distance_between, step_pair
from incidents.rules.machines.persons import (
    another_counts,
    enter_person,
    find_person,
    is_clear_of_edges,
    sweep,
)
from incidents.rules.machines.plan import Plan
from incidents.rules.machines.signals import (
    DONE,
    FULL_GATHERINGS,
    FULL_PAIRS,
    FULL_PERSONS,
    FULL_ROOM,
    LINK,
    PAUSED,
    ROLE,
    SIGNALLED,
)
from incidents.rules.machines.tables import NEVER, Ints, Table, Tables
from incidents.rules.machines.zone import (
    add_signal,
    enter_crossing,
    is_placed,
    is_vague_position,
    step_line,
    step_zones,
)
from vision.frames import SECOND
from vision.ground import Foot
from zones.camera import Role

_RESIDENT = tuple(Role).index(Role.RESIDENT)
_INFERRED, _UNPLACED = int(Foot.INFERRED), int(Foot.UNPLACED)
_SWEEP_US = 10 * SECOND
"""How often slots of persons and pairs that cannot come back are freed."""


@compiled
def advance(
    plan: Plan,
    tables: Tables,
    rows: Table,
    begin: int,
    until: int,
    pause: int,
    people: Ints,
    links: Ints,
    signals: Table,
    n: Ints,
) -> tuple[int, int]:
    """Take rows from number `begin` on, all of which are before `until`.

    What is due at a moment comes after the rows of that moment. So at most one instant with rows, or one
    decision about a link, is between two returns that bring signals.

    Args:
        plan: the camera.
        tables: the state; it is changed.
        rows: (N,) of `ROW`, sorted by time and track.
        begin: number of the first row.
        until: everything before it is known, microseconds UTC.
        pause: the caller wants to act after this moment, before anything later is done.
        people: (4, R) room for the people of one instant.
        links: (L, 4) room for pairs of them.
        signals: room for signals; `n` (1,) receives their number.

    Returns:
        Why it stopped (see `signals`), and the number of the first row that was not taken.
    """
    n[0] = 0
    i, count = begin, len(rows)
    settings, persons, clock = plan.settings[0], tables.persons, tables.clock[0]
    due = next_decision(settings.link_delay, persons)
    while True:
        t = rows[i].t if i < count else until
        if due < t and due <= pause:
            p = undecided_at(settings.link_delay, persons, due)
            earlier = predecessor_of(settings, persons, tables.trails, p)
            persons[p].decided = 1
            if earlier >= 0:
                add_signal(signals, n, LINK, due, earlier, p)
                return SIGNALLED, i
            due = next_decision(settings.link_delay, persons)
            continue
        if pause < t:
            return PAUSED, i
        if i >= count:
            return DONE, i
        last = i + 1
        while last < count and rows[last].t == t:
            last += 1
        full = _room(tables.persons, tables.pairs, tables.gatherings, last - i)
        if full != 0:
            return full, i
        size = last - i
        most = size * (len(plan.machines) + tables.exits.shape[1] + 8)
        most += size * (size - 1) // 2 * tables.contacts.shape[1]
        most += len(persons) + len(tables.gatherings)
        if len(signals) < most or people.shape[1] < size or len(links) < size * (size - 1) // 2:
            return FULL_ROOM, i
        if t >= clock.sweep:
            clock.sweep = t + _SWEEP_US
            sweep(settings, t, persons, tables.pairs, tables.episodes, signals, n)
        born = clock.uid
        _instant(plan, tables, rows, i, last, people, links, signals, n)
        if clock.uid != born:
            due = next_decision(settings.link_delay, persons)
        i = last
        if n[0] > 0:
            return SIGNALLED, i


@compiled
def _room(persons: Table, pairs: Table, gatherings: Table, rows: int) -> int:
    """0 if there is room for all that can be new in an instant, else which table is full."""
    free = 0
    for p in range(len(persons)):
        free += 1 - persons[p].used
    if free < rows:
        return FULL_PERSONS
    free = 0
    for q in range(len(pairs)):
        free += 1 - pairs[q].used
    if free < rows * (rows - 1) // 2:
        return FULL_PAIRS
    free = 0
    for g in range(len(gatherings)):
        free += 1 - gatherings[g].used
    return FULL_GATHERINGS if free < rows // 2 + 1 else 0


@compiled
def _instant(
    plan: Plan,
    tables: Tables,
    rows: Table,
    first: int,
    last: int,
    people: Ints,
    links: Ints,
    signals: Table,
    n: Ints,
) -> None:
    """Take the rows of one instant; `people` and `links` are room, as in `advance`."""
    size = last - first
    slots, residents, parent, index = people[0], people[1], people[2], people[3]
    clock, settings, persons = tables.clock[0], plan.settings[0], tables.persons
    t = rows[first].t
    for i in range(first, last):
        if i > first and rows[i].track == rows[i - 1].track:
            clock.repeated += 1
            slots[i - first] = -1
            continue
        p = find_person(settings.retention, persons, tables.pasts, rows[i].track, t)
        if p >= 0 and another_counts(persons[p], tables.pasts[p], rows, first, last, rows[i]):
            clock.repeated += 1
            slots[i - first] = -1
            continue
        p = _step_row(plan, tables, rows[i], p, signals, n)
        slots[i - first] = p if rows[i].silent == 0 else -1
    if not settings.metric:
        return
    number, joined = 0, 0
    for k in range(size):
        index[k] = -1
        if slots[k] >= 0 and persons[slots[k]].role == _RESIDENT:
            index[k] = number
            residents[number] = slots[k]
            parent[number] = number
            number += 1
    for k in range(size):
        one = rows[first + k]
        if slots[k] < 0 or math.isnan(one.gx):
            continue
        for m in range(k + 1, size):
            other = rows[first + m]
            if slots[m] < 0 or not abs(one.gx - other.gx) < settings.reach:
                continue
            distance, error = distance_between(settings, plan.homography, plan.factor, one, other)
            if settings.contact and distance < settings.reach:
                step_pair(
                    settings,
                    plan.zones,
                    plan.corners,
                    one,
                    other,
                    slots[k],
                    slots[m],
                    distance,
                    error,
                    clock,
                    persons,
                    tables.counts,
                    tables.pasts,
                    tables.pairs,
                    tables.contacts,
                    tables.episodes,
                    tables.sides,
                    tables.bins,
                    signals,
                    n,
                )
            if index[k] < 0 or index[m] < 0 or not distance < settings.gathering_distance:
                continue
            clock.linked += 1
            if is_vague(distance, error, settings.gathering_distance, settings.max_distance_se):
                clock.linked_vague += 1
                continue
            close = probability_under(settings.gathering_distance, distance, error)
            links[joined, 0] = index[k]
            links[joined, 1] = round(distance * 1000)
            links[joined, 2] = round(error * 1000)
            links[joined, 3] = round(close * 1_000_000)
            joined += 1
            a, b = _root(parent, index[k]), _root(parent, index[m])
            parent[max(a, b)] = min(a, b)
    if number > 0:
        for k in range(number):
            parent[k] = _root(parent, k)
        step_gatherings(
            settings,
            t,
            residents[:number],
            parent[:number],
            links,
            joined,
            clock,
            persons,
            tables.gatherings,
            tables.g_episodes,
            tables.members,
            tables.g_bins,
            signals,
            n,
        )


@compiled
def _root(parent: Ints, k: int) -> int:
    while parent[k] != k:
        k = parent[k]
    return k


@compiled
def _count_row(settings: Table, clock: Table, row: Table) -> None:
    """Count a row that may raise something, and how well its position is known."""
    clock.rows += 1
    if row.found == _INFERRED or row.found == _UNPLACED:
        clock.hidden += 1
    if row.found == _UNPLACED:
        clock.lost += 1
    elif is_vague_position(settings, row):
        clock.vague += 1


@compiled
def _step_row(plan: Plan, tables: Tables, row: Table, p: int, signals: Table, n: Ints) -> int:
    """Take one row of the person in slot p, or of a new person (-1); returns the slot of the person.

    A silent row tells who the person is, where, and whom a later track continues, as every row does. The
    machines measure nothing of it: to them it is a loss of sight, except that it ends what it contradicts.
    """
    t, clock, settings = row.t, tables.clock[0], plan.settings[0]
    if row.silent == 0:
        _count_row(settings, clock, row)
    if p < 0:
        p = enter_person(plan, tables, row, signals, n)
    person, zones, places = tables.persons[p], tables.zones[p], tables.places[p]
    origin = add_origin(person, row.x, row.y)
    read = add_reading(person, tables.ratios[p], row)
    if (origin or read) and update_belief(settings, plan.zones, plan.corners, person, tables.ratios[p]):
        add_signal(signals, n, ROLE, t, p, 0)
    step_mask(
        settings,
        plan.zones,
        plan.corners,
        row,
        p,
        person,
        tables.counts[p],
        zones,
        tables.votes[p],
        tables.masks[p],
        signals,
        n,
    )
    if is_placed(row):
        step_zones(
            settings,
            plan.zones,
            plan.corners,
            plan.machines,
            plan.denied,
            row,
            p,
            person,
            zones,
            places,
            tables.one_way[p],
            signals,
            n,
        )
        for k in range(len(plan.lines)):
            line, s = plan.lines[k], tables.lines[p, k]
            if step_line(settings, line, row, person, s):
                enter_crossing(
                    settings,
                    line,
                    k,
                    plan.machines,
                    plan.denied,
                    row.silent == 1,
                    t,
                    row.minute,
                    p,
                    person,
                    s,
                    places,
                    tables.exits[p],
                    signals,
                    n,
                )
        if person.placed == NEVER:
            person.first_placed = t
        person.placed = t
        if row.silent == 0:
            if person.heard == NEVER:
                person.first_heard = t
            person.heard = t
        person.x = row.x
        person.y = row.y
    person.last = t
    person.tall = row.y2 - row.y1
    person.clear = 1 if is_clear_of_edges(settings, row) else 0
    add_to_trail(person, tables.trails[p], t, row.gx, row.gy, row.x * settings.aspect, row.y)
    return p
