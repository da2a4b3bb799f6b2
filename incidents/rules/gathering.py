"""Gatherings: groups of residents, linked by short distances from one to the next, for long enough."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from incidents.rules.episode import Bools, Finding, Ints, alert_times, episodes, microseconds, sorted_unique
from incidents.rules.pairs import Pairs, metric_rows, near_pairs
from incidents.rules.samples import ROLES, Samples, role_mask
from incidents.rules.severity import gathering_severity
from zones.facility import Camera, Facility, Role

KIND = "gathering"


def evaluate_gatherings(
    samples: Samples, facility: Facility, camera: Camera
) -> tuple[list[Finding], list[str]]:
    """Findings of gatherings, and notices about what was not evaluated.

    At each instant, two residents nearer than `distance_m` are linked, and linked residents form a group.
    Groups of at least `min_people` at instants at most `max_gap_s` apart are one gathering if they share a
    person; other people may join or leave. A gathering must be held for `min_s`. Instants at which residents
    are in view but the group is not there are bridged, and do not count as held.

    The tracks of a finding are of the persons who were linked for at least half of the time until the
    gathering became an incident. If these are fewer than `min_people`, they are of all persons linked in that
    time. Persons who join later would change the identity of the incident.

    The rule confidence is the mean probability that the true length of a link is under `distance_m`, times
    the smallest role confidence.
    """
    rule, merge_us = facility.rules.gathering, microseconds(facility.rules.merge_s)
    metric, reason = metric_rows(samples, camera, facility.rules.contact)
    notices = [f"camera {camera.id} is uncalibrated ({reason}): gathering is not evaluated"] if reason else []
    eligible = metric & role_mask(samples, Role.RESIDENT)
    both = np.array([role is Role.RESIDENT for role in ROLES])
    links = near_pairs(samples, camera, eligible, both[:, None] & both, rule.distance_m)
    uncertain = links.uncertain(rule.distance_m, facility.rules.contact.max_distance_se_m)
    if uncertain.any():
        notices.append(
            f"camera {camera.id}: for {int(uncertain.sum())} of {len(links)} observations of two residents "
            f"within {rule.distance_m:g} m, the standard error of their distance is over "
            f"{facility.rules.contact.max_distance_se_m:g} m: gathering is not evaluated there"
        )
        links = links.take(~uncertain)
    if len(links) == 0:
        return [], notices
    rows, group = _groups(links, rule.min_people)
    if len(rows) == 0:
        return [], notices
    gathering = _join_over_time(samples, rows, group, microseconds(rule.max_gap_s))
    instants = sorted_unique(samples.t[np.flatnonzero(eligible)])
    findings: list[tuple[int, set[int], Ints, Ints]] = []
    key, t, on = _timeline(samples, rows, gathering, instants)
    found = episodes(
        key,
        t,
        on,
        dwell_us=microseconds(rule.min_s),
        max_gap_us=microseconds(rule.max_gap_s),
        bridge_us=microseconds(rule.max_gap_s),
    )
    by_gathering = rows[np.argsort(gathering, kind="stable")]
    edges = np.searchsorted(np.sort(gathering), np.arange(int(gathering.max()) + 2))
    for index in np.argsort(found.start, kind="stable").tolist():
        own = by_gathering[edges[found.key[index]] : edges[found.key[index] + 1]]
        own = own[(samples.t[own] >= found.start[index]) & (samples.t[own] <= found.end[index])]
        people = set(np.unique(samples.person[own]).tolist())
        known = t[found.met[index] : found.last[index] + 1][on[found.met[index] : found.last[index] + 1]]
        # A gathering that breaks up and forms again within the merge time, with a person of before, is the
        # same incident.
        for number, (end, others, earlier, alive) in enumerate(findings):
            if people & others and int(found.start[index]) - end <= merge_us:
                merged = max(end, int(found.end[index]))
                findings[number] = (
                    merged,
                    people | others,
                    np.concatenate([earlier, own]),
                    np.concatenate([alive, known]),
                )
                break
        else:
            findings.append((int(found.end[index]), people, own, known))
    return [
        _finding(samples, np.sort(own), np.sort(known), links, facility) for _, _, own, known in findings
    ], notices


def _groups(links: Pairs, min_people: int) -> tuple[Ints, Ints]:
    """Rows in groups of at least `min_people` at one instant, ascending, and the number of their group."""
    rows, ends = np.unique(np.concatenate([links.a, links.b]), return_inverse=True)
    one, other = ends[: len(links)], ends[len(links) :]
    label = _components(len(rows), one, other)
    large = np.bincount(label)[label] >= min_people
    return rows[large], label[large]


def _join_over_time(samples: Samples, rows: Ints, group: Ints, max_gap_us: int) -> Ints:
    """Number of the gathering, from 0, of each row: groups joined over time by the persons they share."""
    person, t = samples.person[rows], samples.t[rows]
    again = np.flatnonzero((person[1:] == person[:-1]) & (t[1:] - t[:-1] <= max_gap_us))
    names, index = np.unique(group, return_inverse=True)
    return _components(len(names), index[again], index[again + 1])[index]


def _timeline(samples: Samples, rows: Ints, gathering: Ints, instants: Ints) -> tuple[Ints, Ints, Bools]:
    """(gathering, t, on) for each gathering and each instant with residents from its first to its last."""
    tick = np.searchsorted(instants, samples.t[rows])
    count = int(gathering.max()) + 1
    low, high = np.full(count, len(instants)), np.full(count, -1)
    np.minimum.at(low, gathering, tick)
    np.maximum.at(high, gathering, tick)
    length = high - low + 1
    offset = np.concatenate([[0], np.cumsum(length)[:-1]])
    key = np.repeat(np.arange(count), length)
    on = np.zeros(len(key), dtype=np.bool_)
    on[offset[gathering] + tick - low[gathering]] = True
    return key, instants[np.arange(len(key)) - np.repeat(offset - low, length)], on


def _components(nodes: int, one: Ints, other: Ints) -> Ints:
    """Number of the connected component of each node, for edges from `one` to `other`."""
    graph = coo_array((np.ones(len(one), dtype=np.bool_), (one, other)), shape=(nodes, nodes))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _finding(samples: Samples, own: Ints, known: Ints, links: Pairs, facility: Facility) -> Finding:
    rules = facility.rules
    rule = rules.gathering
    start, end = int(samples.t[own].min()), int(samples.t[own].max())
    early = own[samples.t[own] <= start + microseconds(rule.min_s)]
    persons, count = np.unique(samples.person[early], return_counts=True)
    lasting = persons[count * 2 >= len(np.unique(samples.t[early]))]
    members = lasting if len(lasting) >= rule.min_people else persons
    people = []
    for person in members.tolist():
        rows = early[samples.person[early] == person]
        people.append((int(samples.track[rows[0]]), samples.role_at(rows)))
    people.sort()
    inside = np.zeros(len(samples), dtype=np.bool_)
    inside[own] = True
    linked = links.take(inside[links.a] & inside[links.b])
    closeness = float(linked.probability_under(rule.distance_m).mean())
    return Finding(
        kind=KIND,
        subkind="",
        zone=None,
        tracks=tuple(track for track, _ in people),
        roles=tuple(role for _, role in people),
        start=start,
        end=end,
        severity=gathering_severity(),
        distance_min=round(float(linked.distance.min()), 4),
        distance_median=round(float(np.median(linked.distance)), 4),
        distance_se=round(float(linked.se[np.argmin(linked.distance)]), 4),
        mask_state=None,
        assessable_share=None,
        detector_confidence=round(float(samples.score[own].mean()), 6),
        rule_confidence=round(closeness * min(confidence for _, (_, confidence) in people), 6),
        thresholds={
            "min_people": rule.min_people,
            "distance_m": rule.distance_m,
            "min_s": rule.min_s,
            "max_gap_s": rule.max_gap_s,
            "max_distance_se_m": rules.contact.max_distance_se_m,
            "max_calibration_error_m": rules.contact.max_calibration_error_m,
            "merge_s": rules.merge_s,
            "role_confidence": rules.role_confidence,
            "realert_s": rules.realert_s,
        },
        alerts=alert_times(known, microseconds(rules.realert_s)),
    )
