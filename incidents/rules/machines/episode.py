"""Episodes: a condition that holds for a dwell, across gaps, merged into incidents; in seconds."""

from __future__ import annotations

from incidents.rules.compiling import compiled
from incidents.rules.machines.tables import FOREVER, Table

OPENED, WENT_ON, DUE = 1, 2, 4
"""What a sample did to an episode, added up: it opened an incident, an episode joined the open incident, or
an alert is due."""


@compiled
def reset_episode(e: Table) -> None:
    """Forget the interval and the incident."""
    e.on = 0
    e.held_on = 0
    e.lasting = 0
    e.open = 0
    e.alert_at = FOREVER
    e.limit = FOREVER
    e.counted = 0


@compiled
def step_episode(
    e: Table,
    t: int,
    on: bool,
    before: int,
    dwell: int,
    gap: int,
    bridge: int,
    min_samples: int,
    merge: int,
    clear: int,
    score: int,
    track: int,
) -> int:
    """Take the next sample of an episode.

    The time between two successive samples counts as held when the condition held at both and they are at
    most `gap` apart. A longer gap ends the interval; none of it counts. An interval that begins at most
    `bridge` after the end of the one before is part of it. An interval that is held for `dwell` in at least
    `min_samples` samples is an episode. Episodes at most `merge` apart are one incident.

    Args:
        e: a row of `EPISODE`.
        t: time of the sample.
        on: whether the condition holds.
        before: time of the sample before.
        dwell, gap, bridge, merge: microseconds.
        min_samples: fewest samples of an interval at which the condition holds.
        clear: 1 where the sample is clearly on, else 0.
        score: of the detection, millionths.
        track: id of the track.

    Returns:
        The sum of OPENED, WENT_ON and DUE that apply.
    """
    signal = 0
    if not on:
        e.held_on = 0
        return signal
    step = t - before if e.held_on == 1 and t - before <= gap else -1
    if e.on == 0 or (step < 0 and not (bridge > 0 and t - e.last <= bridge)):
        e.on = 1
        e.lasting = 0
        e.start = t
        e.held = 0
        e.n = 0
        e.clear = 0
        e.score = 0
        e.track = track
        step = 0
    elif step < 0:
        step = 0
    e.held_on = 1
    e.held += step
    e.n += 1
    e.clear += clear
    e.score += score
    e.last = t
    if e.lasting == 1:
        e.g_end = t
        e.g_held += step
        e.g_n += 1
        e.g_clear += clear
        e.g_score += score
    elif e.held >= dwell and e.n >= min_samples:
        signal += enter_incident(e, t, merge)
    if e.lasting == 1 and (t >= e.alert_at or e.g_held > e.limit):
        signal += DUE
    return signal


@compiled
def enter_incident(e: Table, t: int, merge: int) -> int:
    """Make the interval an episode of the open incident, or of a new one; see `step_episode`."""
    e.lasting = 1
    if e.open == 1 and e.start - e.g_end <= merge:
        e.g_held += e.held
        e.g_n += e.n
        e.g_clear += e.clear
        e.g_score += e.score
        e.g_end = e.last
        return WENT_ON
    e.open = 1
    e.g_start = e.start
    e.g_end = e.last
    e.g_opened = t
    e.g_held = e.held
    e.g_n = e.n
    e.g_clear = e.clear
    e.g_score = e.score
    e.g_track = e.track
    e.alert_at = FOREVER
    e.limit = FOREVER
    e.counted = 0
    return OPENED


@compiled
def join_episodes(
    e: Table,
    later: Table,
    first: int,
    gap: int,
    bridge: int,
    dwell: int,
    min_samples: int,
    merge: int,
    now: int,
) -> int:
    """Continue an episode of a person with that of a later tracklet, as if it were the same person's.

    Args:
        e: of the earlier tracklet; it takes the result.
        later: of the later tracklet.
        first: time of the first sample of the later tracklet.
        now: time at which the link is decided.

    Returns:
        The sum of OPENED and WENT_ON that apply; the incident of `later`, if it is open and joined, is part
        of that of `e` from now on.
    """
    if later.on == 0:
        if later.open == 1 and e.open == 0:
            take_incident(e, later)
        e.held_on = 0
        return 0
    whole = later.start == first
    continues = e.on == 1 and (
        (e.held_on == 1 and whole and 0 <= later.start - e.last <= gap)
        or (bridge > 0 and 0 <= later.start - e.last <= bridge)
    )
    joined = 0
    if continues:
        held = later.held
        if e.held_on == 1 and whole and later.start - e.last <= gap:
            held += later.start - e.last
        e.held += held
        e.n += later.n
        e.clear += later.clear
        e.score += later.score
        e.last = later.last
        if e.lasting == 1:
            e.g_held += held
            e.g_n += later.n
            e.g_clear += later.clear
            e.g_score += later.score
            e.g_end = later.last
            joined = WENT_ON
        elif e.held >= dwell and e.n >= min_samples:
            joined = enter_incident(e, now, merge)
    else:
        lasting, was_open = later.lasting, e.open
        if later.open == 1 and (was_open == 0 or later.g_start - e.g_end > merge):
            take_incident(e, later)
            joined = OPENED
        elif later.open == 1:
            e.g_held += later.g_held
            e.g_n += later.g_n
            e.g_clear += later.g_clear
            e.g_score += later.g_score
            e.g_end = max(e.g_end, later.g_end)
            joined = WENT_ON
        e.on = 1
        e.lasting = lasting
        e.start = later.start
        e.last = later.last
        e.held = later.held
        e.n = later.n
        e.clear = later.clear
        e.score = later.score
        e.track = later.track
    e.held_on = later.held_on
    _bound(e)
    return joined


@compiled
def _bound(e: Table) -> None:
    """Keep sums within what they are shares of.

    A reviewer may state that two tracks in view at the same time are one person: both measured that time.
    """
    e.held = min(e.held, e.last - e.start)
    e.clear = min(e.clear, e.n)
    if e.open == 1:
        e.g_held = min(e.g_held, e.g_end - e.g_start)
        e.g_clear = min(e.g_clear, e.g_n)


@compiled
def take_incident(e: Table, other: Table) -> None:
    """Take over the incident of another episode."""
    e.open = other.open
    e.g_start = other.g_start
    e.g_end = other.g_end
    e.g_opened = other.g_opened
    e.g_held = other.g_held
    e.g_n = other.g_n
    e.g_clear = other.g_clear
    e.g_score = other.g_score
    e.g_track = other.g_track
    e.g_side = other.g_side
    e.alert_at = other.alert_at
    e.limit = other.limit
    e.counted = other.counted
