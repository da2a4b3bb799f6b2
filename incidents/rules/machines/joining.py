"""Two persons turn out to be one: the state of the later one is joined to that of the earlier one."""

from __future__ import annotations

from incidents.rules.compiling import compiled
from incidents.rules.machines.belief import MILLION, update_belief
from incidents.rules.machines.episode import join_episodes
from incidents.rules.machines.gathering import replace_member
from incidents.rules.machines.geometry import crossing
from incidents.rules.machines.pair import FAR_MM, pair_slot, release_pair
from incidents.rules.machines.plan import Plan
from incidents.rules.machines.tables import BEFORE, COUNTS, END, INTERVAL, NEVER, Ints, Table, Tables
from incidents.rules.machines.totals import add_contact, join_pasts
from incidents.rules.machines.zone import enter_crossing


@compiled
def join_persons(
    plan: Plan, tables: Tables, p: int, later: int, now: int, minute: int, signals: Table, n: Ints
) -> bool:
    """Make person `later` part of person p, and free its slot.

    Args:
        plan: the camera.
        tables: the state; it is changed.
        p, later: slots; p was seen first.
        now: time at which this is known.
        minute: of the local day, of `now`.
        signals, n: crossings of lines that happened while the person was out of sight are signalled here.

    Returns:
        Whether the role or its basis of person p changed.
    """
    settings = plan.settings[0]
    one, other = tables.persons[p], tables.persons[later]
    both = one.placed > NEVER and other.placed > NEVER
    near = both and 0 <= other.first_placed - one.placed <= settings.zone_gap
    if near:
        _stay_inside(plan, tables.zones[p], tables.zones[later], tables.places[p])
    for z in range(tables.zones.shape[1]):
        mine, theirs = tables.zones[p, z], tables.zones[later, z]
        if not (near and theirs.inside == -1):
            mine.inside = theirs.inside
        if not (near and mine.care == 1 and theirs.care == 1):
            mine.arrived = theirs.arrived
        mine.care = theirs.care
    for w in range(tables.one_way.shape[1]):
        mine, theirs = tables.one_way[p, w], tables.one_way[later, w]
        if theirs.n > 0:
            if near and mine.n >= 3:
                theirs.farthest = max(mine.farthest, theirs.farthest) if theirs.n >= 3 else mine.farthest
                theirs.n = max(theirs.n, 3)
            tables.one_way[p, w] = theirs
    for machine in range(len(plan.machines)):
        e, f = tables.places[p, machine], tables.places[later, machine]
        if other.heard == NEVER:
            # All of the later tracklet was silent: it can only show that the person is not in the zone.
            z = plan.machines[machine].zone
            if z >= 0 and tables.zones[later, z].inside == 0:
                e.held_on = 0
            continue
        went_on = near and e.held_on == 1 and f.on == 0 and _walks_back(plan, tables, p, machine)
        z = plan.machines[machine].zone
        stayed = z >= 0 and near and e.held_on == 1 and tables.zones[later, z].edge == e.last
        begins = f.start if stayed and tables.zones[later, z].left == 0 else other.first_heard
        join_episodes(
            e,
            f,
            begins,
            settings.zone_gap,
            0,
            plan.machines[machine].dwell,
            settings.min_samples,
            settings.merge,
            now,
        )
        if went_on:
            _bridge(e, other.heard)
        elif stayed and f.on == 0 and tables.zones[later, z].inside == -1:
            e.held_on = 1
    for k in range(len(plan.lines)):
        line, s = plan.lines[k], tables.lines[p, k]
        if _join_line(settings, line, near, one, other, s, tables.lines[later, k]):
            enter_crossing(
                settings,
                line,
                k,
                plan.machines,
                plan.denied,
                other.heard != other.placed,
                now,
                minute,
                p,
                one,
                s,
                tables.places[p],
                tables.exits[p],
                signals,
                n,
            )
    for d in range(tables.exits.shape[1]):
        # The later tracklet did not come out of the door in which it was first seen.
        if tables.exits[p, d] == NEVER and tables.exits[later, d] != other.born:
            tables.exits[p, d] = tables.exits[later, d]
    for machine in range(4):
        _join_mask(
            settings,
            machine,
            tables.votes[later],
            other,
            tables.masks[p, machine],
            tables.masks[later, machine],
        )
    _join_votes(one, other, tables.votes[p], tables.votes[later])
    join_pasts(one, other, tables.pasts[p], tables.pasts[later])
    gained, since, until = 0, NEVER, NEVER
    for q in range(len(tables.pairs)):
        pair = tables.pairs[q]
        if pair.used == 0 or (pair.a != later and pair.b != later):
            continue
        side = 0 if pair.a == later else 1
        partner = pair.b if side == 0 else pair.a
        if partner == p:
            release_pair(pair, tables.episodes[q])
            continue
        # The counts of the later person go on from those of person p.
        for h in range(tables.contacts.shape[1]):
            for when in range(3):
                for k in range(COUNTS):
                    tables.sides[q, h, when, side, k] += tables.counts[p, k]
        mine_q = pair_slot(tables.pairs, p, partner)
        if side == 0:
            pair.a = p
        else:
            pair.b = p
        if mine_q >= 0:
            more, start, end = _join_pair(
                settings,
                tables.pairs[mine_q],
                pair,
                tables.contacts[mine_q],
                tables.contacts[q],
                tables.episodes[mine_q],
                tables.episodes[q],
                tables.sides[mine_q],
                tables.sides[q],
                tables.bins[mine_q],
                tables.bins[q],
                now,
            )
            if more > 0:
                add_contact(tables.persons[partner], tables.pasts[partner], start, end, more)
            # Contacts with several people at once count once: the longest does, whatever their order is.
            if (more, end, start) > (gained, until, since):
                gained, since, until = more, start, end
    if gained > 0:
        add_contact(one, tables.pasts[p], since, until, gained)
    replace_member(tables.gatherings, tables.members, other.uid, p, one.uid)
    for k in range(COUNTS):
        tables.counts[p, k] += tables.counts[later, k]
    for k in range(4):
        tables.ratios[p, k] += tables.ratios[later, k]
    one.readings += other.readings
    one.unfamiliar += other.unfamiliar
    one.track = other.track
    one.last = max(one.last, other.last)
    if other.placed > NEVER:
        one.placed = other.placed
        one.heard = max(one.heard, other.heard)
        one.x = other.x
        one.y = other.y
    one.tall = other.tall
    one.clear = other.clear
    one.trail = other.trail
    for k in range(tables.trails.shape[1]):
        tables.trails[p, k] = tables.trails[later, k]
    other.used = 0
    return update_belief(settings, plan.zones, plan.corners, one, tables.ratios[p])


@compiled
def _stay_inside(plan: Plan, zones: Table, later: Table, places: Table) -> None:
    """Continue the stays of a person over the first samples of the later tracklet inside by less than
    the hysteresis: the later tracklet alone did not show that the person was in the zone."""
    for machine in range(len(plan.machines)):
        z = plan.machines[machine].zone
        e = places[machine]
        inside = z >= 0 and zones[z].inside == 1 and later[z].edge > NEVER
        if inside and e.held_on == 1 and not plan.machines[machine].wrong_way:
            _bridge(e, later[z].edge)


@compiled
def _walks_back(plan: Plan, tables: Tables, p: int, machine: int) -> bool:
    """Whether person p is behind the farthest progress through a one-way zone. The later tracklet alone did
    not show it, because it was new in the zone."""
    m = plan.machines[machine]
    if not m.wrong_way:
        return False
    zone = plan.zones[m.zone]
    w = tables.one_way[p, zone.way]
    return w.n > 0 and w.farthest - w.p1 >= zone.step_back


@compiled
def _bridge(e: Table, t: int) -> None:
    """The interval of an episode has held up to a moment."""
    step = t - e.last
    e.held_on = 1
    e.held += step
    e.n += 1
    e.last = t
    if e.lasting == 1:
        e.g_held += step
        e.g_n += 1
        e.g_end = t


@compiled
def _join_line(
    settings: Table, line: Table, near: bool, one: Table, other: Table, s: Table, later: Table
) -> bool:
    """Continue the stays on the sides of a line; returns whether the step across the gap has crossed it."""
    side, net = s.before, s.net_before
    if s.first == 1 and s.lasting == 0 and s.side != 0 and s.n >= settings.min_samples:
        side, net = s.side, s.net
    s.side = later.side
    s.turn = later.turn
    s.n = later.n
    s.clear = later.clear
    s.score = later.score
    s.first = later.first
    s.lasting = later.lasting
    s.net_turn = later.net_turn
    s.net = later.net
    s.before = later.before
    s.net_before = later.net_before
    if not near or side == 0:
        return False
    net += crossing(one.x, one.y, other.born_x, other.born_y, line.ax, line.ay, line.bx, line.by)
    if later.before == 0:
        s.first = 0
        s.before = side
        s.net_turn = net
        s.net_before = net + later.net
        return False
    return later.lasting == 1 and later.side == -side and later.first == 1 and net * later.side > 0


@compiled
def _join_mask(settings: Table, machine: int, votes: Table, other: Table, m: Table, later: Table) -> None:
    """Continue the incident of a mask machine; `votes` are those of the later person."""
    if later.open == 0:
        for k in range(other.votes):
            if m.open == 1 and (votes[k].swab == 0 or machine % 2 == 1):
                m.p_voting += 1
                m.p_tried += votes[k].tried
                m.p_assessed += votes[k].assessed
        return
    end = later.end
    if m.open == 0 or later.start - m.end > settings.merge:
        m.open = 1
        m.start = later.start
        m.opened = later.opened
        m.track = later.track
        m.alert_at = later.alert_at
        m.agreeing = later.agreeing
        m.voting = later.voting
        m.tried = later.tried
        m.assessed = later.assessed
        m.score = later.score
    else:
        m.agreeing += later.agreeing
        m.voting += m.p_voting + later.voting
        m.tried += m.p_tried + later.tried
        m.assessed += m.p_assessed + later.assessed
        m.score += later.score
        end = max(m.end, later.end)
    m.p_voting = later.p_voting
    m.p_tried = later.p_tried
    m.p_assessed = later.p_assessed
    m.end = end
    m.share = later.share
    # Two tracks in view at the same time may be one person: see `join_episodes`.
    m.voting = max(m.voting, m.agreeing)
    m.tried = max(m.tried, m.assessed)


@compiled
def _join_votes(one: Table, other: Table, mine: Table, theirs: Table) -> None:
    kept = max(0, min(one.votes, len(mine) - other.votes))
    for k in range(kept):
        mine[k] = mine[k + one.votes - kept]
    for k in range(other.votes):
        # Two tracks in view at the same time may be one person: the votes stay in order of time.
        at = kept + k
        while at > 0 and mine[at - 1].t > theirs[k].t:
            mine[at] = mine[at - 1]
            at -= 1
        mine[at] = theirs[k]
    one.votes = kept + other.votes
    one.tried = other.tried
    one.assessed = other.assessed


@compiled
def _join_pair(
    settings: Table,
    pair: Table,
    later: Table,
    contacts: Table,
    later_contacts: Table,
    episodes: Table,
    later_episodes: Table,
    sides: Ints,
    later_sides: Ints,
    bins: Ints,
    later_bins: Ints,
    now: int,
) -> tuple[int, int, int]:
    """Continue a pair with a later pair of the same persons, and free the slot of that.

    Returns:
        The contact that this adds to an incident which counts towards the totals of its persons, and that the
        later tracklet did not count: length, start and end, microseconds; a length of 0 if there is none.
    """
    swap = 1 if pair.a != later.a else 0
    gained, since, until = 0, NEVER, NEVER
    for h in range(len(contacts)):
        c, d, e, f = contacts[h], later_contacts[h], episodes[h], later_episodes[h]
        # What the two incidents hold together, in case that they are one.
        was_open, start, opened = e.open == 1, e.start, f.open == 1
        was_lasting = e.lasting == 1
        counts_alone = e.counted == 1 and f.counted == 0
        before, held = e.g_end, e.g_held
        result = join_episodes(
            e,
            f,
            later.first,
            settings.contact_gap,
            settings.contact_gap,
            settings.contact_dwell,
            settings.min_samples,
            settings.merge,
            now,
        )
        more = e.g_held - held if counts_alone and e.counted == 1 else 0
        if (more, e.g_end, before) > (gained, until, since):
            gained, since, until = more, before, e.g_end
        c.state = d.state
        if f.on == 0 and not opened:
            continue
        same = f.on == 1 and e.start == start and f.start != start
        begins = e.open == 1 and (not was_open or result == 1)
        if f.on == 1 and not same:
            c.close = 0
            c.nearest = FAR_MM
            bins[h, 0, :] = 0
            _copy_counts(sides[h, INTERVAL], later_sides[h, INTERVAL], swap)
        if begins:
            c.g_close = 0
            c.g_nearest = FAR_MM
            bins[h, 1, :] = 0
            if opened and not same:
                _copy_counts(sides[h, BEFORE], later_sides[h, BEFORE], swap)
            else:
                _copy_counts(sides[h, BEFORE], sides[h, INTERVAL], 0)
        if e.open == 1 and same and not was_lasting and e.lasting == 1:
            _add_to_incident(c, c.close, c.nearest, c.nearest_se, bins[h, 1], bins[h, 0])
        if e.open == 1 and opened:
            _add_to_incident(c, d.g_close, d.g_nearest, d.g_nearest_se, bins[h, 1], later_bins[h, 1])
        elif e.open == 1 and e.lasting == 1:
            _add_to_incident(c, d.close, d.nearest, d.nearest_se, bins[h, 1], later_bins[h, 0])
        if e.open == 1 and (opened or e.lasting == 1):
            _copy_counts(sides[h, END], later_sides[h, END if opened else INTERVAL], swap)
        if f.on == 1:
            c.close += d.close
            if d.nearest < c.nearest:
                c.nearest = d.nearest
                c.nearest_se = d.nearest_se
            for k in range(bins.shape[2]):
                bins[h, 0, k] += later_bins[h, 0, k]
        # Two tracks in view at the same time may be one person: see `join_episodes`.
        c.close = min(c.close, e.n * MILLION)
        c.g_close = min(c.g_close, e.g_n * MILLION)
    pair.last = max(pair.last, later.last)
    pair.t_on = later.t_on
    pair.t_held = later.t_held
    pair.t_n = later.t_n
    pair.touched = max(pair.touched, later.touched)
    release_pair(later, later_episodes)
    return gained, since, until


@compiled
def _add_to_incident(c: Table, close: int, nearest: int, nearest_se: int, bins: Ints, more: Ints) -> None:
    c.g_close += close
    if nearest < c.g_nearest:
        c.g_nearest = nearest
        c.g_nearest_se = nearest_se
    for k in range(len(bins)):
        bins[k] += more[k]


@compiled
def _copy_counts(target: Ints, source: Ints, swap: int) -> None:
    """Copy counts (2, COUNTS) of both persons, whose order may differ."""
    for side in range(2):
        for k in range(COUNTS):
            target[side, k] = source[(side + swap) % 2, k]
