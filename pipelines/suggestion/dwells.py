"""The shortest dwell of each zone at which false alarms stay below a rate, found by replaying the log.

The rules themselves evaluate the log at several dwells, with their roles, hysteresis, links and merging. An
alarm is an incident that was opened and not withdrawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from incidents.intervals import Estimate, exact_rate
from incidents.record import Incident, Status, track_id
from incidents.rules.events import Finding
from incidents.rules.machines.plan import SHORT_DWELL, dwell_of
from incidents.rules.zone import KIND
from incidents.whole_log import evaluate_observations
from pipelines.suggestion.draft import RuleProposal
from zones.facility import Camera, Facility
from zones.permission import denies_anything

CANDIDATE_DWELLS_S = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0)
"""Dwells that are tried: finely spaced where people pass through, coarser where they stay.

Project default (docs/defaults.md).
"""
HOURS_PER_DAY = 24.0
MIN_WATCHED_HOURS = 8.0
"""Hours of watching below which alarms without a verdict change no dwell: too short to represent a day.

Project default (docs/defaults.md).
"""


@dataclass(frozen=True)
class Trial:
    """The alarms that a zone or line would have raised at one dwell.

    Attributes:
        dwell_s: the dwell.
        kept: number of confirmed incidents that are still raised.
        false: number of alarms that reviewers decided to be false.
        undecided: number of alarms without a verdict; they count as false.
    """

    dwell_s: float
    kept: int
    false: int
    undecided: int

    @property
    def counted_false(self) -> int:
        """The number of alarms that count as false."""
        return self.false + self.undecided


@dataclass(frozen=True)
class Dwell:
    """The trials of the dwell of one zone or line, and the suggestion.

    Attributes:
        zone: id of the zone or line.
        field: the field of the facility's zone rules that has its dwell: dwell_s or dwell_gate_s.
        now: the trial at the present dwell.
        chosen: the trial at the suggested dwell; None where no dwell meets the rate.
        meets: whether the chosen dwell keeps the alarms at the rate or below.
        confirmed: number of confirmed incidents that at least one trial raises.
        lost: number of confirmed incidents that no trial raises: the zone or the log has changed since.
        rate: alarms counted as false per camera-day at the chosen dwell (else at the present one), with an
            exact 95 % interval.
        trials: all trials, by dwell.
    """

    zone: str
    field: str
    now: Trial
    chosen: Trial | None
    meets: bool
    confirmed: int
    lost: int
    rate: Estimate
    trials: tuple[Trial, ...]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "zone": self.zone,
            "rule": self.field,
            "now_s": self.now.dwell_s,
            "suggested_s": None if self.chosen is None else self.chosen.dwell_s,
            "meets_rate": self.meets,
            "confirmed": self.confirmed,
            "confirmed_not_found": self.lost,
            "false_alarms_per_day": self.rate.to_dict(),
            "trials": [vars(trial) for trial in self.trials],
        }


def suggest_dwells(
    observations: pl.DataFrame,
    facility: Facility,
    camera: Camera,
    recorded: Sequence[Incident],
    hours: float,
    rate: float,
) -> tuple[Dwell, ...]:
    """The smallest dwell of each zone and line whose false alarms per camera-day are at most `rate`.

    No confirmed incident is given up: where the rate needs a longer dwell than they allow, the longest dwell
    that keeps them all is chosen, and `meets` is False. An alarm without a verdict counts as false.

    Args:
        observations: the camera's log.
        facility: the facility with its present rules.
        camera: the camera with its present zones and lines.
        recorded: incidents of the ledger; those of other cameras, kinds and times are ignored.
        hours: how long the camera was watched.
        rate: alarms per camera-day of each zone or line.
    """
    parts = [part for _, part in camera.parts() if denies_anything(part, facility)]
    if not parts or hours <= 0:
        return ()
    present = {dwell_of(part.type, facility.rules.zone) for part in parts}
    dwells = sorted({*CANDIDATE_DWELLS_S, *present})
    found = {dwell_s: _replayed(observations, facility, camera, dwell_s) for dwell_s in dwells}
    result = []
    for part in parts:
        known = [
            incident
            for incident in recorded
            if (incident.camera, incident.kind, incident.zone) == (camera.id, KIND, part.id)
        ]
        here = {d: [f for f in findings if f.zone == part.id] for d, findings in found.items()}
        field = "dwell_gate_s" if part.type in SHORT_DWELL else "dwell_s"
        now = dwell_of(part.type, facility.rules.zone)
        result.append(_dwell(part.id, field, now, here, known, hours, rate))
    return tuple(result)


def rule_proposals(
    facility: Facility, dwells: Sequence[Dwell], when: str, hours: float, rate: float
) -> tuple[tuple[RuleProposal, ...], list[str]]:
    """Longer dwells for the file, which has one for all zones of a kind; and notices about the others."""
    rules, notices = [], []
    if dwells and not any(d.confirmed or d.now.false for d in dwells):
        notices.append(
            "no alarm of these zones has a verdict: all count as false, on the assumption that nothing "
            f"happened in these {hours:.3g} h; review some of them and run this again"
        )
    for dwell in dwells:
        if dwell.chosen is None:
            notices.append(
                f"{dwell.zone}: no dwell up to {dwell.trials[-1].dwell_s:g} s keeps its alarms at {rate:g} "
                "per day: check its polygon, schedule and roles instead of its dwell"
            )
        elif not dwell.meets:
            notices.append(
                f"{dwell.zone}: {rate:g} false alarms per day cannot be reached without losing one of "
                f"{dwell.confirmed} confirmed incidents: {dwell.chosen.dwell_s:g} s is the longest dwell "
                f"that keeps them, with {dwell.chosen.counted_false} alarms counted as false"
            )
        if dwell.lost:
            notices.append(
                f"{dwell.zone}: {dwell.lost} confirmed incidents are found at no dwell: the zone, its roles "
                "or the log have changed, so these incidents do not limit the dwell"
            )
    for field in ("dwell_s", "dwell_gate_s"):
        group = [d for d in dwells if d.field == field and d.chosen is not None]
        longest = max((d.chosen.dwell_s for d in group if d.chosen), default=0.0)
        # One value applies to all zones of a kind; it must keep the confirmed incidents of each of them.
        value = max((d for d in _keeping(dwells, field) if d <= longest), default=0.0)
        if not group or value <= group[0].now.dwell_s:
            continue
        if hours < MIN_WATCHED_HOURS and any(dwell.now.undecided for dwell in group):
            names = ", ".join(dwell.zone for dwell in group if dwell.now.undecided)
            notices.append(
                f"{field} stays at {group[0].now.dwell_s:g} s: to change it for alarms without a verdict "
                f"({names}), expected at least {MIN_WATCHED_HOURS:g} h of watching or verdicts, "
                f"got {hours:.2g} h"
            )
            continue
        rules.append(_rule(field, value, group, when, rate))
    if shorter := [d.zone for d in dwells if d.chosen and d.chosen.dwell_s < d.now.dwell_s]:
        notices.append(
            f"{', '.join(shorter)}: a shorter dwell than now would meet the rate; the draft does not have "
            "it, because the false alarms of other days are not known"
        )
    if rules:
        notices.append("a dwell in the rules applies to the zones of all cameras of the facility")
    return tuple(rules), notices


def _keeping(dwells: Sequence[Dwell], field: str) -> list[float]:
    """The dwells tried at which every zone of a kind keeps its confirmed incidents."""
    columns = zip(*(dwell.trials for dwell in dwells if dwell.field == field), strict=True)
    wanted = [dwell.confirmed for dwell in dwells if dwell.field == field]
    return [column[0].dwell_s for column in columns if [trial.kept for trial in column] == wanted]


def _rule(field: str, value: float, group: Sequence[Dwell], when: str, rate: float) -> RuleProposal:
    counts = []
    for dwell in group:
        trial = next(trial for trial in dwell.trials if trial.dwell_s == value)
        counts.append(
            f"{dwell.zone} {dwell.now.counted_false} -> {trial.counted_false} false alarms"
            + (f", {trial.kept} of {dwell.confirmed} confirmed kept" if dwell.confirmed else "")
        )
    evidence = (
        f"suggested from {when}, for at most {rate:g} false alarms per day, was {group[0].now.dwell_s:g}: "
        f"{'; '.join(counts)}; shorter stays will no longer be reported"
    )
    return RuleProposal(field, value, evidence)


def zone_findings(observations: pl.DataFrame, facility: Facility, camera: Camera) -> list[Finding]:
    """The incidents of the zones and lines of a camera, in a log that is evaluated as a whole.

    The camera need not be as the facility has it: its zones may be proposals.
    """
    # Contact changes nothing about zones, and is the slowest of the rules.
    alone = camera.model_copy(update={"contact_pairs": ()})
    only = facility.model_copy(update={"cameras": (alone,)})
    return [f for f in evaluate_observations(observations, only, camera.id).findings if f.kind == KIND]


def _replayed(
    observations: pl.DataFrame, facility: Facility, camera: Camera, dwell_s: float
) -> list[Finding]:
    zone = facility.rules.zone.model_copy(update={"dwell_s": dwell_s, "dwell_gate_s": dwell_s})
    rules = facility.rules.model_copy(update={"zone": zone})
    return zone_findings(observations, facility.model_copy(update={"rules": rules}), camera)


def _dwell(
    zone: str,
    field: str,
    now: float,
    found: dict[float, list[Finding]],
    recorded: Sequence[Incident],
    hours: float,
    rate: float,
) -> Dwell:
    confirmed = [incident for incident in recorded if incident.decision == Status.CONFIRMED]
    false = [incident for incident in recorded if incident.decision == Status.FALSE_ALARM]
    findable = [i for i in confirmed if any(_same(f, i) for findings in found.values() for f in findings)]
    trials = []
    for dwell_s, findings in found.items():
        kept = sum(any(_same(f, incident) for f in findings) for incident in findable)
        open_ = [f for f in findings if not any(_same(f, incident) for incident in findable)]
        wrong = sum(any(_same(f, incident) for incident in false) for f in open_)
        trials.append(Trial(dwell_s, kept, wrong, len(open_) - wrong))
    days = hours / HOURS_PER_DAY
    keeping = [trial for trial in trials if trial.kept == len(findable)]
    good = [trial for trial in keeping if trial.counted_false <= rate * days]
    chosen = good[0] if good else keeping[-1] if findable and keeping else None
    present = next(trial for trial in trials if trial.dwell_s == now)
    return Dwell(
        zone=zone,
        field=field,
        now=present,
        chosen=chosen,
        meets=bool(good),
        confirmed=len(findable),
        lost=len(confirmed) - len(findable),
        rate=_rate((chosen or present).counted_false, days),
        trials=tuple(trials),
    )


def _rate(count: int, days: float) -> Estimate:
    """False alarms per camera-day with the exact interval; unknown where nothing was watched."""
    return Estimate(count / days, *exact_rate(count, days), "exact") if days > 0 else Estimate(None)


def _same(finding: Finding, incident: Incident) -> bool:
    """Whether a finding and an incident are of the same person at the same time."""
    people = {track.id for track in incident.tracks}
    return (
        finding.start <= incident.end
        and incident.start <= finding.end
        and any(track_id(person.track) in people for person in finding.people)
    )
