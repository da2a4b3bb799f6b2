"""Masks that are absent or worn incorrectly, by votes over time. Faces that were not assessed do not vote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from incidents.rules.episode import (
    Bools,
    Codes,
    Episodes,
    Finding,
    Floats,
    Ints,
    alert_times,
    last_true_row,
    microseconds,
    run_starts,
    separated_times,
)
from incidents.rules.position import depth_in
from incidents.rules.samples import INCORRECT, MASKED, UNMASKED, Samples, assessable_share, role_mask
from incidents.rules.severity import mask_severity
from incidents.rules.zone import occupied
from zones.facility import Camera, Facility, MaskRule, Role, ZoneType

STATES: Mapping[int, str] = {MASKED: "masked", INCORRECT: "incorrect", UNMASKED: "unmasked"}
"""Mask state of each vote."""

KINDS: Mapping[int, str] = {UNMASKED: "mask_absent", INCORRECT: "mask_incorrect"}
"""Kind of incident of each vote that is a violation."""


@dataclass(frozen=True)
class _Votes:
    """Fields of `Samples`, (V,) each, of the assessed samples only."""

    person: Ints
    t: Ints
    vote: Codes
    change: Floats


def evaluate_masks(samples: Samples, facility: Facility, camera: Camera) -> list[Finding]:
    """Findings of mask_absent and mask_incorrect.

    A window of `window_s` ends at each assessed sample. A state is found when the window has at least
    `min_samples` assessed samples of the person, they span at least `min_span_s`, and at least `share` of
    them agree on the state. The episode runs from the first to the last agreeing sample of such windows. Time
    without assessed samples, as when a person turns away, counts neither for nor against the state.

    A window finds nothing if the picture around the face changed by at least `min_change` in fewer than
    `min_changing_share` of the assessments that measured a change: the face is painted or printed.

    The rule confidence is the share of the assessed samples of the episode that agree.
    """
    rule, merge_s = facility.rules.mask, facility.rules.merge_s
    voting = (samples.vote >= 0) & ~_exempt(samples, facility, camera)
    rows = np.flatnonzero(voting)
    votes = _Votes(samples.person[rows], samples.t[rows], samples.vote[rows], samples.change[rows])
    findings = []
    for vote, kind in KINDS.items():
        agree = np.zeros(len(samples), dtype=np.bool_)
        agree[rows] = samples.vote[rows] == vote
        found = _windows(votes, vote, rule)
        for group in found.groups(microseconds(merge_s)):
            start, end = int(found.start[group.start]), int(found.end[group.stop - 1])
            span = samples.span(int(found.key[group.start]), start, end)
            agreeing = span.start + np.flatnonzero(agree[span])
            role, confidence = samples.role_at(agreeing)
            findings.append(
                Finding(
                    kind=kind,
                    subkind="",
                    zone=None,
                    tracks=(int(samples.track[agreeing[0]]),),
                    roles=((role, confidence),),
                    start=start,
                    end=end,
                    severity=mask_severity(kind, role),
                    distance_min=None,
                    distance_median=None,
                    distance_se=None,
                    mask_state=STATES[vote],
                    assessable_share=assessable_share(samples, span),
                    detector_confidence=round(float(samples.score[agreeing].mean()), 6),
                    rule_confidence=round(len(agreeing) / int(voting[span].sum()), 6),
                    thresholds={
                        "min_face_px": rule.min_face_px,
                        "min_samples": rule.min_samples,
                        "window_s": rule.window_s,
                        "min_span_s": rule.min_span_s,
                        "share": rule.share,
                        "swab_s": rule.swab_s,
                        "min_change": rule.min_change,
                        "min_changing_share": rule.min_changing_share,
                        "merge_s": merge_s,
                        "realert_s": facility.rules.realert_s,
                    },
                    alerts=alert_times(votes.t[found.met[group]], microseconds(facility.rules.realert_s)),
                )
            )
    return findings


def mask_state(samples: Samples, span: slice, rule: MaskRule) -> str | None:
    """The state on which enough mask votes of the rows agree, by the thresholds of the rule, or None."""
    votes = samples.vote[span]
    votes = votes[votes >= 0]
    agreeing = np.array([(votes == vote).sum() for vote in STATES], dtype=np.int64)
    enough = _enough(agreeing, np.full(len(STATES), len(votes)), rule)
    return list(STATES.values())[int(np.argmax(enough))] if enough.any() else None


def _enough(agreeing: Ints, votes: Ints, rule: MaskRule) -> Bools:
    """Whether enough of the votes agree, for each pair of counts."""
    # A share that is reached exactly must not fail by a rounding error in share * votes.
    return (votes >= rule.min_samples) & (agreeing > 0) & (agreeing >= rule.share * votes - 1e-9)


def _windows(votes: _Votes, vote: int, rule: MaskRule) -> Episodes:
    """One episode for each assessed sample whose window finds `vote`."""
    window_us = microseconds(rule.window_s)
    ticks = separated_times(votes.person, votes.t, window_us)
    here = np.arange(len(votes.t))
    low = np.searchsorted(ticks, ticks - window_us)
    agree = votes.vote == vote
    count = np.concatenate([[0], np.cumsum(agree)])
    agreeing, among = count[here + 1] - count[low], here + 1 - low
    fires = _enough(agreeing, among, rule) & (ticks - ticks[low] >= microseconds(rule.min_span_s))
    fires &= _is_live(votes, here, low, rule)
    where = np.flatnonzero(agree)
    # The first agreeing row from `low` on, and the last one up to here.
    first, last = where[count[low[fires]]], where[count[here[fires] + 1] - 1]
    start, end = votes.t[first], votes.t[last]
    return Episodes(votes.person[first], first, last, here[fires], start, end, end - start)


def _is_live(votes: _Votes, here: Ints, low: Ints, rule: MaskRule) -> Bools:
    """Windows (N,) from row `low` to `here` whose face changes enough, or was never measured for change."""
    measured = np.concatenate([[0], np.cumsum(~np.isnan(votes.change))])
    # The log holds 32-bit numbers: a value equal to the threshold must not fail by rounding.
    changing = np.concatenate([[0], np.cumsum(votes.change >= rule.min_change - 1e-6)])
    measurements, changed = measured[here + 1] - measured[low], changing[here + 1] - changing[low]
    enough = changed >= rule.min_changing_share * measurements - 1e-9
    return np.asarray((measurements == 0) | enough, dtype=np.bool_)


def _exempt(samples: Samples, facility: Facility, camera: Camera) -> Bools:
    """Rows (N,) that do not vote: in or near an exempt zone, or during a swab.

    Near is within the hysteresis of the zone. A person who is not staff may be unmasked at a care station for
    `swab_s` after arriving.
    """
    rule = facility.rules.zone
    exempt = np.zeros(len(samples), dtype=np.bool_)
    if len(samples) == 0:
        return exempt
    for zone in camera.zones:
        if zone.type is ZoneType.EXEMPT:
            exempt |= depth_in(samples, zone, camera, rule).close
        elif zone.type is ZoneType.CARE_STATION:
            inside = occupied(samples, depth_in(samples, zone, camera, rule), rule)
            arrives = run_starts(samples.person, samples.t, microseconds(rule.max_gap_s)) | ~inside
            arrives[1:] |= ~inside[:-1]
            since = samples.t - samples.t[last_true_row(arrives)]
            staff = role_mask(samples, Role.STAFF_PPE, Role.STAFF_NO_PPE)
            exempt |= inside & ~staff & (since <= microseconds(facility.rules.mask.swab_s))
    return exempt
