"""The slots of persons: found by a track, taken by a new person, freed when a person cannot come back."""

from __future__ import annotations

from incidents.rules.compiling import compiled
from incidents.rules.machines.episode import reset_episode
from incidents.rules.machines.geometry import signed_distance
from incidents.rules.machines.pair import is_over, release_pair
from incidents.rules.machines.plan import Plan
from incidents.rules.machines.signals import EXIT, LEFT
from incidents.rules.machines.tables import FOREVER, NEVER, Ints, Table, Tables
from incidents.rules.machines.zone import add_signal


@compiled
def find_person(retention: int, persons: Table, pasts: Table, track: int, t: int) -> int:
    """The slot of the person of a track, or -1.

    A track that was lost can be found again after another one was linked to it: it is still that person.
    """
    for p in range(len(persons)):
        person = persons[p]
        if person.used == 1 and person.track == track and t - person.last <= retention:
            return p
    for p in range(len(persons)):
        person = persons[p]
        if person.used == 1 and t - person.last <= retention:
            for k in range(person.tracks):
                if pasts[p, k].track == track:
                    return p
    return -1


@compiled
def another_counts(person: Table, past: Table, rows: Table, first: int, last: int, row: Table) -> bool:
    """Whether a row of another track of the person at the same instant counts in place of `row`.

    A silent row never counts in place of one that may raise something. Else the row of the track that was
    linked last counts: which one it is does not depend on the ids.
    """
    if person.track == row.track and row.silent == 0:
        return False
    linked_later = True
    for k in range(person.tracks - 1, -1, -1):
        if past[k].track == row.track:
            linked_later = False
            continue
        for i in range(first, last):
            if rows[i].track != past[k].track:
                continue
            if rows[i].silent < row.silent or (linked_later and rows[i].silent == row.silent):
                return True
    return False


@compiled
def enter_person(plan: Plan, tables: Tables, row: Table, signals: Table, n: Ints) -> int:
    """Take a free slot for the person of a row."""
    p = 0
    while tables.persons[p].used == 1:
        p += 1
    person, clock, settings = tables.persons[p], tables.clock[0], plan.settings[0]
    clock.uid += 1
    person.used = 1
    person.uid = clock.uid
    person.track = row.track
    person.born = row.t
    person.last = NEVER
    person.placed = NEVER
    person.first_placed = NEVER
    person.heard = NEVER
    person.first_heard = NEVER
    person.decided = 0
    person.trail = 0
    person.born_x = row.x
    person.born_y = row.y
    person.born_gx = row.gx
    person.born_gy = row.gy
    person.born_ix = row.x * settings.aspect
    person.born_iy = row.y
    person.born_tall = row.y2 - row.y1
    person.born_clear = 1 if is_clear_of_edges(settings, row) else 0
    person.origins = 0
    person.role = -1
    person.readings = 0
    person.unfamiliar = 0
    person.votes = 0
    person.tried = 0
    person.assessed = 0
    person.covered = NEVER
    person.intervals = 0
    person.tracks = 1
    tables.pasts[p, 0].track = row.track
    tables.ratios[p, :] = 0
    tables.counts[p, :] = 0
    tables.exits[p, :] = NEVER
    for z in range(tables.zones.shape[1]):
        tables.zones[p, z].inside = -1
        tables.zones[p, z].edge = NEVER
        tables.zones[p, z].left = 0
        tables.zones[p, z].care = -1
        tables.zones[p, z].arrived = NEVER
    for machine in range(len(plan.machines)):
        reset_episode(tables.places[p, machine])
    for machine in range(4):
        tables.masks[p, machine].open = 0
        tables.masks[p, machine].alert_at = FOREVER
    for w in range(tables.one_way.shape[1]):
        tables.one_way[p, w].n = 0
    # A person whose track begins in the zone of a door came out of it.
    for z in range(len(plan.zones)):
        zone = plan.zones[z]
        if zone.door >= 0 and signed_distance(row.x, row.y, plan.corners, zone.low, zone.high, 2) >= 0:
            tables.exits[p, zone.door] = row.t
            add_signal(signals, n, EXIT, row.t, p, zone.door)
    return p


@compiled
def is_clear_of_edges(settings: Table, row: Table) -> bool:
    """Whether the box of a row is not at an edge of the frame, where people leave and enter the view."""
    near, far = settings.edge, 1 - settings.edge
    return row.x1 > near and row.y1 > near and row.x2 < settings.aspect - near and row.y2 < far


@compiled
def sweep(
    settings: Table, t: int, persons: Table, pairs: Table, episodes: Table, signals: Table, n: Ints
) -> None:
    """Free the slots of persons and pairs that were not seen for so long that nothing of them goes on."""
    retention = settings.retention
    for p in range(len(persons)):
        person = persons[p]
        if person.used == 1 and t - person.last > retention:
            person.used = 0
            add_signal(signals, n, LEFT, t, p, person.uid)
    for q in range(len(pairs)):
        pair = pairs[q]
        if pair.used == 0:
            continue
        gone = persons[pair.a].used == 0 or persons[pair.b].used == 0
        if gone or t - pair.last > retention or is_over(settings, t, pair, episodes[q]):
            release_pair(pair, episodes[q])
