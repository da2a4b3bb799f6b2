"""Zones and lines: where a person is, which lines the person crossed, and for how long."""

from __future__ import annotations

import math

from incidents.rules.compiling import compiled
from incidents.rules.machines.episode import enter_incident, step_episode
from incidents.rules.machines.geometry import crossing, line_offset, signed_distance
from incidents.rules.machines.plan import Bools, Floats
from incidents.rules.machines.signals import ENDED, EXIT, PLACE
from incidents.rules.machines.tables import NEVER, Ints, Table
from vision.ground import Foot

_SEEN, _UNPLACED = int(Foot.SEEN), int(Foot.UNPLACED)
_AGREEING = 3
"""Successive samples whose least progress counts as reached. One wrong box far ahead would otherwise make all
later samples look like a way back."""


@compiled
def add_signal(signals: Table, n: Ints, kind: int, t: int, a: int, b: int) -> None:
    """Append a signal; `n` (1,) counts them."""
    s = signals[n[0]]
    s.kind = kind
    s.t = t
    s.a = a
    s.b = b
    n[0] += 1


@compiled
def depth_in(aspect: float, zone: Table, corners: Floats, row: Table) -> float:
    """Depth of a row in a zone: positive inside, in metres where the zone is compared on the ground.

    A foot point without a ground position is above the horizon, and outside zones on the ground.
    """
    if zone.ground:
        x, y = row.gx, row.gy
    else:
        x, y = row.x * aspect, row.y
    # False for NaN as well. Most people are far from most zones.
    if not (zone.left <= x <= zone.right and zone.top <= y <= zone.bottom):
        return -math.inf
    return signed_distance(x, y, corners, zone.low, zone.high, 0)


@compiled
def is_vague_position(settings: Table, row: Table) -> bool:
    """Whether the position of a row is too uncertain to enter a zone or cross a line.

    Feet that are seen are never uncertain here: a zone is drawn in the image, so an error of the calibration
    moves the zone and the people in it alike.
    """
    return row.found != _SEEN and not row.gse <= settings.max_position_se


@compiled
def step_zones(
    settings: Table,
    plan_zones: Table,
    corners: Floats,
    machines: Table,
    denied: Bools,
    row: Table,
    p: int,
    person: Table,
    zones: Table,
    places: Table,
    one_way: Table,
    signals: Table,
    n: Ints,
) -> None:
    """Take a row of person p to all zones.

    A person is in a zone from the first sample that is inside by the hysteresis to the last one before a
    sample outside. Jitter of less than the hysteresis brings a person in never, and out once at most. A
    sample with hidden feet that cannot be placed counts as a loss of sight. So does a silent one, but one
    outside ends the stay.
    """
    t, before, silent = row.t, person.placed, row.silent == 1
    fresh = t - before > settings.zone_gap
    vague = is_vague_position(settings, row)
    machine = 0
    for z in range(len(plan_zones)):
        zone = plan_zones[z]
        if not zone.watched:
            continue
        depth = depth_in(settings.aspect, zone, corners, row)
        clear = depth >= zone.margin
        state = zones[z]
        if fresh:
            state.inside = -1
        if clear and not vague:
            state.inside = 1
        elif depth < 0:
            state.left = 1 if state.edge == before and before != NEVER else state.left
            state.inside = 0
        elif state.inside == -1 and state.edge == before and not silent:
            state.edge = t
        on = state.inside == 1
        if zone.way >= 0:
            if fresh:
                one_way[zone.way].n = 0
            on = _step_one_way(settings.aspect, zone, one_way[zone.way], row, on)
        while machine < len(machines) and machines[machine].zone == z:
            e = places[machine]
            held, holds, signal = e.held_on == 1, on and denied[machine, 0, row.minute], 0
            if silent:
                if not holds or t - person.heard > settings.zone_gap:
                    e.held_on = 0
            else:
                signal = step_episode(
                    e,
                    t,
                    holds,
                    person.heard,
                    machines[machine].dwell,
                    settings.zone_gap,
                    0,
                    settings.min_samples,
                    settings.merge,
                    1 if clear else 0,
                    row.score,
                    person.track,
                )
            if signal != 0 and signal != 2:
                add_signal(signals, n, PLACE, t, p, machine)
            elif held and not holds and e.open == 1 and settings.merge < settings.zone_gap:
                # The next interval is another incident, and may begin before the gap is over.
                add_signal(signals, n, ENDED, t, p, machine)
            machine += 1


@compiled
def _step_one_way(aspect: float, zone: Table, w: Table, row: Table, inside: bool) -> bool:
    """Whether the person has moved back in a one-way zone, since the person entered it."""
    if not inside:
        w.n = 0
        return False
    if zone.way_ground:
        progress = row.gx * zone.way_x + row.gy * zone.way_y
    else:
        progress = row.x * aspect * zone.way_x + row.y * zone.way_y
    if math.isnan(progress):
        return False
    if w.n == 0:
        w.farthest = -math.inf
    w.n += 1
    if w.n >= _AGREEING:
        w.farthest = max(w.farthest, min(progress, w.p1, w.p2))
    w.p2 = w.p1
    w.p1 = progress
    return w.farthest - progress >= zone.step_back


@compiled
def step_line(settings: Table, line: Table, row: Table, person: Table, s: Table) -> bool:
    """Take a row of a person to a line; returns whether the person has crossed it to the side `s.side`.

    A person is on a side from the first sample that is away from the line by the hysteresis until the first
    such sample on the other side. After a loss of sight longer than `max_gap_s`, the person is on no side.

    A crossing counts when the person stays on the far side for the dwell; stayed on the near side for the
    dwell, or appeared there, for MIN_SAMPLES samples; and the path crosses the line segment once more in this
    direction than back. Jitter about the line, a step across and back within the dwell, and a walk around the
    end of the line are no crossings.

    A silent row does not say that the dwell is met: that waits for one that is not, for `max_gap_s`.
    """
    t, aspect = row.t, settings.aspect
    offset = line_offset(row.x * aspect, row.y, line.ax * aspect, line.ay, line.bx * aspect, line.by)
    distance = offset
    if line.ground:
        distance = line_offset(row.gx, row.gy, line.gax, line.gay, line.gbx, line.gby)
    side = 0
    # False for NaN as well.
    if abs(distance) >= line.hysteresis and not is_vague_position(settings, row) and offset != 0:
        side = 1 if offset > 0 else -1
    if t - person.placed > settings.zone_gap:
        s.side = 0
        s.n = 0
        s.first = 1
        s.lasting = 0
        s.before = 0
        s.net = 0
        s.net_before = 0
    else:
        step = crossing(person.x, person.y, row.x, row.y, line.ax, line.ay, line.bx, line.by)
        s.net += step
        s.net_before += step
    if side != 0 and side != s.side:
        if s.side != 0:
            # The first stay in sight counts if it has enough samples.
            if s.first == 1 and s.lasting == 0 and s.n >= settings.min_samples:
                s.before = s.side
                s.net_before = s.net
            s.first = 0
        s.side = side
        s.turn = t
        s.n = 0
        s.clear = 0
        s.score = 0
        s.lasting = 0
        s.net_turn = s.net_before
        s.net = 0
    elif side != 0:
        s.net = 0
    if s.side == 0:
        return False
    s.n += 1
    s.clear += 1 if side != 0 else 0
    s.score += row.score
    if s.lasting == 1:
        s.net_before = s.net
        return False
    if t - s.turn < line.dwell or s.n < settings.min_samples:
        return False
    if row.silent == 1 and t - person.heard <= settings.zone_gap:
        return False
    crossed = s.before == -s.side and s.net_turn * s.side > 0
    s.lasting = 1
    s.before = s.side
    s.net_before = s.net
    return crossed


@compiled
def enter_crossing(
    settings: Table,
    line: Table,
    k: int,
    machines: Table,
    denied: Bools,
    silent: bool,
    t: int,
    minute: int,
    p: int,
    person: Table,
    s: Table,
    places: Table,
    exits: Ints,
    signals: Table,
    n: Ints,
) -> None:
    """Enter a crossing of line k to the side `s.side` into the machines of the line.

    Permission is that of the first sample beyond the line; `minute` is that of `t`. A `silent` crossing tells
    from which door the person came, and raises nothing.
    """
    if line.door >= 0:
        number = line.door if s.side > 0 else line.door + 1
        if exits[number] == NEVER:
            exits[number] = s.turn
            add_signal(signals, n, EXIT, t, p, number)
    if silent:
        return
    # A change of the clocks in between does not matter.
    then = (minute - (t // 60_000_000 - s.turn // 60_000_000)) % 1440
    column = 0 if s.side > 0 else 1
    for machine in range(len(machines)):
        if machines[machine].line != k or not denied[machine, column, then]:
            continue
        e = places[machine]
        e.on = 1
        e.held_on = 0
        e.start = s.turn
        e.last = t
        e.held = t - s.turn
        e.n = s.n
        e.clear = s.clear
        e.score = s.score
        e.track = person.track
        opened = enter_incident(e, t, settings.merge) == 1
        if opened:
            e.g_side = s.side
        if opened or t >= e.alert_at:
            add_signal(signals, n, PLACE, t, p, machine)


@compiled
def is_placed(row: Table) -> bool:
    """Whether the position of a row is known well enough for zones and lines."""
    return row.found != _UNPLACED
