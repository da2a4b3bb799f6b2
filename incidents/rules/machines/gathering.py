"""Gatherings: groups of residents, linked by short distances from one to the next, for long enough."""

from __future__ import annotations

from incidents.rules.compiling import compiled
from incidents.rules.machines.episode import reset_episode, step_episode
from incidents.rules.machines.pair import FAR_MM
from incidents.rules.machines.signals import GATHERING
from incidents.rules.machines.tables import MEMBERS, NEVER, Ints, Table
from incidents.rules.machines.zone import add_signal


@compiled
def step_gatherings(
    settings: Table,
    t: int,
    people: Ints,
    parent: Ints,
    links: Ints,
    count: int,
    clock: Table,
    persons: Table,
    gatherings: Table,
    episodes: Table,
    members: Table,
    bins: Ints,
    signals: Table,
    n: Ints,
) -> None:
    """Take the groups of one instant.

    At each instant, residents nearer than `distance_m` are linked, and linked residents form a group. A group
    of at least `min_people` belongs to a gathering if the two share a person and the gathering was seen at
    most `max_gap_s` before, or merges with it within `merge_s`. Instants at which residents are in view but
    the group is not there are bridged for `max_gap_s`, and do not count as held. Where a group shares
    persons with several gatherings, the one that began first takes it.

    Args:
        t: the instant, at which a resident is in view.
        people: (C,) slots of the residents.
        parent: (C,) of each, the index of the first of its group.
        links: (E, 4) index of one of both, millimetres, error in millimetres, probability in millionths.
        count: number of links.
    """
    for k in range(len(people)):
        size = 0
        for m in range(len(people)):
            size += 1 if parent[m] == k else 0
        if size < settings.gathering_people:
            continue
        g = _gathering_of(settings, t, people, parent, k, persons, gatherings, episodes, members)
        if g < 0:
            g = 0
            while gatherings[g].used == 1:
                g += 1
            clock.uid += 1
            gatherings[g].used = 1
            gatherings[g].uid = clock.uid
            gatherings[g].members = 0
            gatherings[g].seen = NEVER
            reset_episode(episodes[g])
            _begin_interval(gatherings[g], members[g], bins[g])
        item = gatherings[g]
        if item.seen != t:
            if episodes[g].on == 1 and t - episodes[g].last > settings.gathering_gap:
                _begin_interval(item, members[g], bins[g])
            item.instants += 1
        item.seen = t
        _add_members(item, members[g], t, people, parent, k, persons)
        for link in range(count):
            if parent[links[link, 0]] != k:
                continue
            item.links += 1
            item.close += links[link, 3]
            if links[link, 1] < item.nearest:
                item.nearest = links[link, 1]
                item.nearest_se = links[link, 2]
            bins[g, 0, min(links[link, 1] // 10, bins.shape[2] - 1)] += 1
    before = clock.residents
    for g in range(len(gatherings)):
        item, e = gatherings[g], episodes[g]
        if item.used == 0:
            continue
        signal = step_episode(
            e,
            t,
            item.seen == t,
            before,
            settings.gathering_dwell,
            settings.gathering_gap,
            settings.gathering_gap,
            settings.min_samples,
            settings.merge,
            0,
            0,
            0,
        )
        if item.seen == t and e.lasting == 1:
            if signal & 1:
                _choose_members(settings.gathering_people, item, members[g])
            _settle(item, bins[g], signal & 1 == 1)
        if signal != 0 and signal != 2:
            add_signal(signals, n, GATHERING, t, g, 0)
        if e.open == 0 and t - item.seen > settings.gathering_gap:
            item.used = 0  # it ended before it became an incident
    clock.residents = t


@compiled
def _gathering_of(
    settings: Table,
    t: int,
    people: Ints,
    parent: Ints,
    k: int,
    persons: Table,
    gatherings: Table,
    episodes: Table,
    members: Table,
) -> int:
    """The first gathering that shares a person with the group of index k, or -1."""
    found = -1
    for g in range(len(gatherings)):
        item, e = gatherings[g], episodes[g]
        if item.used == 0 or (found >= 0 and gatherings[found].uid < item.uid):
            continue
        if t - item.seen > settings.gathering_gap and not (e.open == 1 and t - e.g_end <= settings.merge):
            continue
        shared = False
        for m in range(item.members):
            for other in range(len(people)):
                if parent[other] == k and persons[people[other]].uid == members[g, m].uid:
                    shared = True
        if shared:
            found = g
    return found


@compiled
def _begin_interval(item: Table, members: Table, bins: Ints) -> None:
    item.instants = 0
    item.links = 0
    item.close = 0
    item.nearest = FAR_MM
    item.nearest_se = 0
    bins[0, :] = 0
    for m in range(item.members):
        members[m].n = 0


@compiled
def _add_members(
    item: Table, members: Table, t: int, people: Ints, parent: Ints, k: int, persons: Table
) -> None:
    """Add the persons of the group of index k to a gathering."""
    for other in range(len(people)):
        if parent[other] != k:
            continue
        person = persons[people[other]]
        m = 0
        while m < item.members and members[m].uid != person.uid:
            m += 1
        if m == MEMBERS:
            continue
        if m == item.members:
            members[m].person = people[other]
            members[m].uid = person.uid
            members[m].track = person.track
            members[m].since = t
            members[m].n = 0
            members[m].kept = 0
            item.members += 1
        members[m].n += 1


@compiled
def _choose_members(least: int, item: Table, members: Table) -> None:
    """Choose the people of an incident when it is opened: those who were linked for at least half of the
    time; if these are fewer than `least`, all who were linked. Persons who join later would change it."""
    lasting = 0
    for m in range(item.members):
        lasting += 1 if members[m].n > 0 and 2 * members[m].n >= item.instants else 0
    for m in range(item.members):
        enough = 2 * members[m].n >= item.instants or lasting < least
        members[m].kept = 1 if members[m].n > 0 and enough else 0


@compiled
def _settle(item: Table, bins: Ints, begins: bool) -> None:
    """Add the links of the interval so far to the incident, and forget them; `bins` (2, B)."""
    if begins:
        item.g_links = 0
        item.g_close = 0
        item.g_nearest = FAR_MM
        item.g_nearest_se = 0
        bins[1, :] = 0
    item.g_links += item.links
    item.g_close += item.close
    if item.nearest < item.g_nearest:
        item.g_nearest = item.nearest
        item.g_nearest_se = item.nearest_se
    for k in range(bins.shape[1]):
        bins[1, k] += bins[0, k]
    item.links = 0
    item.close = 0
    item.nearest = FAR_MM
    bins[0, :] = 0


@compiled
def replace_member(gatherings: Table, members: Table, uid: int, to: int, to_uid: int) -> None:
    """Replace the person `uid` by the person in slot `to` in all gatherings."""
    for g in range(len(gatherings)):
        item = gatherings[g]
        if item.used == 0:
            continue
        mine, theirs = -1, -1
        for m in range(item.members):
            if members[g, m].uid == uid:
                theirs = m
            elif members[g, m].uid == to_uid:
                mine = m
        if theirs < 0:
            continue
        if mine < 0:
            members[g, theirs].person = to
            members[g, theirs].uid = to_uid
            continue
        members[g, mine].n += members[g, theirs].n
        last = item.members - 1
        members[g, theirs] = members[g, last]
        item.members = last
