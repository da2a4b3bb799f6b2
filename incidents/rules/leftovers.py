"""The tables without what no machine reads any more, so that a saved state is small."""

from __future__ import annotations

import numpy as np

from incidents.rules.machines.tables import INTERVAL, Table, Tables
from vision.frames import SECOND

_TRAIL_READ_US = 10 * SECOND
"""A track is linked, or is a rival of a link, for 4 s after its last row; then its positions are not read."""


def without_leftovers(tables: Tables, settings: Table, now: int) -> Tables:
    """Copies of the tables, with zeros where entries are beyond the number kept, or too old to be read.

    Args:
        tables: the state.
        settings: of the plan (a record).
        now: stream time up to which everything is known, microseconds UTC.
    """
    fresh = Tables(*(np.array(table) for table in tables))
    persons = fresh.persons
    old = persons["last"] < now - _TRAIL_READ_US
    _clear(fresh.trails, _beyond(fresh.trails, persons["trail"]) | old[:, None])
    newest = np.maximum(persons["votes"] - 1, 0)
    last_vote = fresh.votes["t"][np.arange(len(persons)), newest]
    stale = last_vote < now - int(settings["mask_window"])
    _clear(fresh.votes, _beyond(fresh.votes, persons["votes"]) | stale[:, None])
    fresh.pasts["track"][_beyond(fresh.pasts, persons["tracks"])] = 0
    for name in ("start", "end", "length"):
        fresh.pasts[name][_beyond(fresh.pasts, persons["intervals"])] = 0
    _clear(fresh.members, _beyond(fresh.members, fresh.gatherings["members"]))

    # An interval of contact that can no longer go on, not even under a new id; incidents that are not open.
    e = fresh.episodes
    longest_gap = int(settings["contact_gap"]) + int(settings["link_delay"])
    over = (e["on"] == 0) | (e["last"] < now - longest_gap)
    closed = e["open"] == 0
    fresh.bins[..., 0, :][over] = 0
    fresh.bins[..., 1, :][closed] = 0
    fresh.sides[:, :, INTERVAL][over] = 0
    fresh.sides[:, :, INTERVAL + 1 :][closed] = 0
    for name in ("close", "nearest", "nearest_se"):
        fresh.contacts[name][over] = 0
        fresh.contacts[f"g_{name}"][closed] = 0
    for table in (e, fresh.places, fresh.g_episodes):
        for name in ("g_start", "g_end", "g_opened", "g_held", "g_n", "g_clear", "g_score", "g_track"):
            table[name][table["open"] == 0] = 0
        for name in ("start", "last", "held", "n", "clear", "score", "track"):
            table[name][table["on"] == 0] = 0
    for name in fresh.masks.dtype.names or ():
        if name != "alert_at":
            fresh.masks[name][fresh.masks["open"] == 0] = 0
    return fresh


def _beyond(table: Table, count: np.ndarray) -> np.ndarray:
    """Which entries (N, K) of a table are beyond the number (N,) that is kept of each slot."""
    return np.asarray(np.arange(table.shape[1]) >= count[:, None])


def _clear(table: Table, where: np.ndarray) -> None:
    table[where] = np.zeros((), table.dtype)
