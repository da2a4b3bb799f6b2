"""The state of the machines: tables of numbers, which can be saved as they are.

Every table has a row for each slot. A slot is taken by a person, a pair or a gathering while that is in view
or can still come back, and is used again afterwards. Times are microseconds UTC; NEVER stands for no time.
Confidences, scores and probabilities are added up in millionths, distances in millimetres and times in
microseconds: sums of whole numbers do not depend on how the input is cut.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from incidents.rules.compiling import records

Table: TypeAlias = Any
"""A table of records, a row of one, or a record. Compiled functions read fields as attributes, which numpy's
types do not know."""
Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int8]

NEVER = -(1 << 61)
"""No moment; earlier than any, and far enough from the smallest number that differences do not overflow."""
FOREVER = 1 << 61
"""Later than any moment."""
TRAIL = 12
"""Positions kept of each person: those of the last second at up to ten a second, for its velocity."""
PASTS = 12
"""Track ids and intervals of contact kept of each person. Of more intervals, the two that are nearest are
joined; lengths are kept apart from ends, so that totals stay exact until joined ones leave the window."""
MEMBERS = 64
"""People kept of a gathering."""
ROWS, SCORE, TRIED, VOTES = 0, 1, 2, 3
COUNTS = 6
"""Counts of a person that a contact needs: rows, scores, assessments tried, and votes (masked, incorrect,
unmasked)."""

EPISODE = np.dtype(
    [
        # The interval that may become an episode.
        ("on", "i1"),  # there is one
        ("held_on", "i1"),  # the condition held at the last sample
        ("lasting", "i1"),  # its dwell is met
        ("start", "i8"),
        ("last", "i8"),
        ("held", "i8"),
        ("n", "i8"),
        ("clear", "i8"),
        ("score", "i8"),
        ("track", "i8"),
        # The incident: episodes that are merged.
        ("open", "i1"),
        ("g_start", "i8"),
        ("g_end", "i8"),
        ("g_opened", "i8"),
        ("g_held", "i8"),
        ("g_n", "i8"),
        ("g_clear", "i8"),
        ("g_score", "i8"),
        ("g_track", "i8"),
        ("g_side", "i8"),  # of a line: the side to which it was crossed first
        ("alert_at", "i8"),  # the next sample from this moment on is signalled
        ("limit", "i8"),  # signalled when g_held exceeds it
        ("counted", "i1"),  # its time counts towards the totals of its persons
    ]
)
PERSON = np.dtype(
    [
        ("used", "i1"),
        ("uid", "i8"),
        ("track", "i8"),
        ("born", "i8"),
        ("last", "i8"),
        ("first_placed", "i8"),  # first row with a position
        ("placed", "i8"),  # last row with a position
        ("first_heard", "i8"),  # first row with a position that was not silent
        ("heard", "i8"),  # last such row
        ("decided", "i1"),  # whether the person continues another one is decided
        ("x", "f8"),  # foot at the last row with a position, normalised
        ("y", "f8"),
        ("tall", "f8"),  # height of the box, frame heights
        ("clear", "i1"),  # the box is away from the edges of the frame
        ("trail", "i8"),  # number of positions kept
        ("born_x", "f8"),
        ("born_y", "f8"),
        ("born_gx", "f8"),
        ("born_gy", "f8"),
        ("born_ix", "f8"),
        ("born_iy", "f8"),
        ("born_tall", "f8"),
        ("born_clear", "i1"),
        ("origins", "i8"),
        ("ox0", "f8"),
        ("oy0", "f8"),
        ("ox1", "f8"),
        ("oy1", "f8"),
        ("ox2", "f8"),
        ("oy2", "f8"),
        ("role", "i1"),
        ("basis", "i1"),
        ("confidence", "f8"),
        ("readings", "i8"),
        ("unfamiliar", "i8"),
        ("votes", "i8"),  # mask votes kept
        ("tried", "i8"),  # assessments tried since the last vote
        ("assessed", "i8"),
        ("covered", "i8"),  # contact is counted up to here
        ("intervals", "i8"),  # intervals of contact kept
        ("tracks", "i8"),  # track ids kept
    ]
)
TRAIL_POINT = np.dtype([("t", "i8"), ("gx", "f8"), ("gy", "f8"), ("ix", "f8"), ("iy", "f8")])
VOTE = np.dtype(
    [
        ("t", "i8"),
        ("track", "i8"),
        ("state", "i1"),
        ("measured", "i1"),
        ("changing", "i1"),
        ("swab", "i1"),
        ("score", "i8"),
        ("tried", "i8"),  # since the vote before, this one included
        ("assessed", "i8"),
    ]
)
MASK = np.dtype(
    [
        ("open", "i1"),
        ("start", "i8"),
        ("end", "i8"),
        ("opened", "i8"),
        ("track", "i8"),
        ("alert_at", "i8"),
        ("agreeing", "i8"),
        ("voting", "i8"),
        ("tried", "i8"),
        ("assessed", "i8"),
        ("score", "i8"),
        # Since the end, until the next agreeing vote moves it.
        ("p_voting", "i8"),
        ("p_tried", "i8"),
        ("p_assessed", "i8"),
        ("share", "i8"),  # of the window that was found last, millionths
    ]
)
LINE = np.dtype(
    [
        ("side", "i1"),
        ("turn", "i8"),
        ("n", "i8"),
        ("clear", "i8"),
        ("score", "i8"),
        ("first", "i1"),  # the first stay since the person came into sight
        ("lasting", "i1"),
        ("net_turn", "i8"),  # crossings from the last stay that counts to this one
        ("net", "i8"),  # crossings of the segment since the person was last clearly on the current side
        ("before", "i1"),  # side of the last stay that counts
        ("net_before", "i8"),  # crossings since the person was last clearly there
    ]
)
ONE_WAY = np.dtype([("n", "i8"), ("p1", "f8"), ("p2", "f8"), ("farthest", "f8")])
PAIR = np.dtype(
    [
        ("used", "i1"),
        ("uid", "i8"),
        ("a", "i8"),
        ("b", "i8"),
        ("first", "i8"),
        ("last", "i8"),
        # Touch: nearer than `touch_m`.
        ("t_on", "i1"),
        ("t_held", "i8"),
        ("t_n", "i8"),
        ("touched", "i8"),  # last moment of a touch that lasted
    ]
)
CONTACT = np.dtype(
    [
        ("state", "i1"),  # in contact, with hysteresis
        ("close", "i8"),  # sum of the probabilities of being under the limit
        ("nearest", "i8"),
        ("nearest_se", "i8"),
        ("g_close", "i8"),
        ("g_nearest", "i8"),
        ("g_nearest_se", "i8"),
    ]
)
GATHERING = np.dtype(
    [
        ("used", "i1"),
        ("uid", "i8"),
        ("members", "i8"),
        ("seen", "i8"),  # last instant with the group
        ("instants", "i8"),  # instants with the group in the current interval
        ("links", "i8"),
        ("close", "i8"),
        ("nearest", "i8"),
        ("nearest_se", "i8"),
        ("g_links", "i8"),
        ("g_close", "i8"),
        ("g_nearest", "i8"),
        ("g_nearest_se", "i8"),
    ]
)
MEMBER = np.dtype(
    [("person", "i8"), ("uid", "i8"), ("track", "i8"), ("since", "i8"), ("n", "i8"), ("kept", "i1")]
)
PAST = np.dtype([("track", "i8"), ("start", "i8"), ("end", "i8"), ("length", "i8")])
"""Of a person: a track id, and apart from that an interval of contact."""
ZONE_STATE = np.dtype(
    [
        ("inside", "i1"),  # 1 in, 0 out, -1 not known; an uncertain position cannot bring a person in
        ("edge", "i8"),  # last sample of those from the first on that are inside by less than the hysteresis
        ("left", "i1"),  # whether the next sample after those was outside
        ("care", "i1"),  # the same where any position counts, for care stations
        ("arrived", "i8"),
    ]
)
CLOCK = np.dtype(
    [
        ("instant", "i8"),  # last instant with rows
        ("residents", "i8"),  # last instant with a resident whose place is known
        ("sweep", "i8"),
        ("uid", "i8"),
        ("rows", "i8"),
        ("repeated", "i8"),
        ("hidden", "i8"),
        ("lost", "i8"),
        ("vague", "i8"),
        ("near", "i8"),
        ("near_vague", "i8"),
        ("linked", "i8"),
        ("linked_vague", "i8"),
    ]
)
SIGNAL = np.dtype([("kind", "i8"), ("t", "i8"), ("a", "i8"), ("b", "i8")])
"""What happened: a kind (see `signals`), its moment, and two numbers that depend on the kind."""


class Tables(NamedTuple):
    """All tables: P persons, M zone machines, Z zones, L lines, W one-way zones, D doors, V votes, Q pairs,
    H machines of a pair, B bins of 1 cm, G gatherings."""

    clock: Table  # (1,)
    persons: Table  # (P,)
    ratios: Ints  # (P, 4) sums of the log ratios of the role readings, millionths
    counts: Ints  # (P, COUNTS)
    trails: Table  # (P, TRAIL)
    pasts: Table  # (P, PASTS)
    zones: Table  # (P, Z)
    places: Table  # (P, M)
    lines: Table  # (P, L)
    one_way: Table  # (P, W)
    exits: Ints  # (P, D)
    votes: Table  # (P, V)
    masks: Table  # (P, 4)
    pairs: Table  # (Q,)
    contacts: Table  # (Q, H)
    episodes: Table  # (Q, H)
    sides: Ints  # (Q, H, 3, 2, COUNTS) counts of both persons: see INTERVAL, BEFORE, END
    bins: Ints  # (Q, H, 2, B) of the interval and of the incident
    gatherings: Table  # (G,)
    g_episodes: Table  # (G,)
    members: Table  # (G, MEMBERS)
    g_bins: Ints  # (G, 2, B) of the interval and of the incident


INTERVAL, BEFORE, END = 0, 1, 2
"""The counts of both persons of a contact: before the interval, before the incident, at its end."""


class Room(NamedTuple):
    """Room in which the machines work; nothing of it is state."""

    people: Ints  # (4, R) of one instant
    links: Ints  # (L, 4) pairs of them
    signals: Table  # (S,)
    number: Ints  # (1,) of signals

    def doubled(self) -> Room:
        """Twice as much room."""
        return _room(2 * self.people.shape[1], 2 * len(self.links), 2 * len(self.signals))


def empty_room() -> Room:
    """Room for an instant with a few dozen people."""
    return _room(32, 512, 1024)


class Sizes(NamedTuple):
    """Sizes of the tables that follow from the facility file; see `Tables`."""

    machines: int
    zones: int
    lines: int
    one_way: int
    doors: int
    votes: int
    contacts: int
    bins: int
    gathering_bins: int


PERSON_TABLES = (
    *("persons", "ratios", "counts", "trails", "pasts", "zones", "places", "lines", "one_way", "exits"),
    *("votes", "masks"),
)
PAIR_TABLES = ("pairs", "contacts", "episodes", "sides", "bins")
GATHERING_TABLES = ("gatherings", "g_episodes", "members", "g_bins")


def empty_tables(sizes: Sizes, persons: int = 16, pairs: int = 16, gatherings: int = 4) -> Tables:
    """Tables without any person, pair or gathering."""
    p, q, g, s = persons, pairs, gatherings, sizes
    clock = _records(1, CLOCK)
    for name in ("instant", "residents", "sweep"):
        clock[name] = NEVER
    return Tables(
        clock=clock,
        persons=_records(p, PERSON),
        ratios=np.zeros((p, 4), np.int64),
        counts=np.zeros((p, COUNTS), np.int64),
        trails=_records((p, TRAIL), TRAIL_POINT),
        pasts=_records((p, PASTS), PAST),
        zones=_records((p, s.zones), ZONE_STATE),
        places=_records((p, s.machines), EPISODE),
        lines=_records((p, s.lines), LINE),
        one_way=_records((p, s.one_way), ONE_WAY),
        exits=np.zeros((p, s.doors), np.int64),
        votes=_records((p, s.votes), VOTE),
        masks=_records((p, 4), MASK),
        pairs=_records(q, PAIR),
        contacts=_records((q, s.contacts), CONTACT),
        episodes=_records((q, s.contacts), EPISODE),
        sides=np.zeros((q, s.contacts, 3, 2, COUNTS), np.int64),
        bins=np.zeros((q, s.contacts, 2, s.bins), np.int64),
        gatherings=_records(g, GATHERING),
        g_episodes=_records(g, EPISODE),
        members=_records((g, MEMBERS), MEMBER),
        g_bins=np.zeros((g, 2, s.gathering_bins), np.int64),
    )


def grown(tables: Tables, names: tuple[str, ...]) -> Tables:
    """The tables with twice as many slots in those of `names`, which share their slots."""
    more = {}
    for name in names:
        table = getattr(tables, name)
        more[name] = np.concatenate([table, np.zeros_like(table)])
        if table.dtype.names:
            more[name] = records(more[name])
    return tables._replace(**more)


def _records(shape: int | tuple[int, ...], kind: np.dtype[np.void]) -> Table:
    return records(np.zeros(shape, kind))


def _room(people: int, links: int, signals: int) -> Room:
    return Room(
        np.zeros((4, people), np.int64),
        np.zeros((links, 4), np.int64),
        _records(signals, SIGNAL),
        np.zeros(1, np.int64),
    )
