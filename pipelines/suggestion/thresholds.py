"""How long a stay must last before it alarms, so that false alarms stay under a rate: by replay of the log.

The rule of zones itself judges the log at several dwells, with its roles, hysteresis and merging. Who people
are and where they stand does not depend on the dwell, so that is worked out once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from incidents.intervals import Estimate, exact_rate
from incidents.record import Incident, Status, track_id
from incidents.rules.episode import Finding
from incidents.rules.samples import Samples
from incidents.rules.zone import KIND, SHORT_DWELL, dwell_of, evaluate_zones
from pipelines.suggestion.draft import RuleProposal
from zones.facility import Camera, Facility
from zones.permission import verdicts

DWELLS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0)
"""Dwells that are tried, s: a tenth to a third apart where people pass, coarser where they stay [D]."""
DAY_H = 24.0
SHORT_H = 8.0
"""Hours of watching below which alarms without a verdict change no dwell [D]: too little to tell a day by."""


@dataclass(frozen=True)
class Trial:
    """What a zone or line would have alarmed at one dwell.

    Attributes:
        dwell_s: the dwell.
        kept: of the confirmed incidents, those that are still alarmed.
        false: alarms decided to be false; undecided: nobody decided them, so they are counted as false.
    """

    dwell_s: float
    kept: int
    false: int
    undecided: int

    @property
    def against(self) -> int:
        """Alarms that count as false."""
        return self.false + self.undecided


@dataclass(frozen=True)
class Dwell:
    """What the log says of the dwell of one zone or line.

    Attributes:
        zone: its id; field: where the facility's rules hold its dwell, dwell_s or dwell_gate_s.
        now: at the dwell that holds; chosen: at the one suggested, None = no dwell does it.
        meets: whether the chosen one keeps the alarms at the rate or below.
        confirmed: incidents that reviewers confirmed and that some dwell tried finds.
        lost: those that no dwell finds: the zone, or the log, is another than it was.
        rate: alarms counted as false per camera-day at the chosen dwell (else at the present one), with an
            exact 95 % interval.
        trials: all that was tried, by dwell.
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


def find_dwells(
    samples: Samples,
    facility: Facility,
    camera: Camera,
    recorded: Sequence[Incident],
    hours: float,
    rate: float,
) -> tuple[Dwell, ...]:
    """The smallest dwell of each zone and line whose false alarms per camera-day are at most `rate`.

    A confirmed incident is never given up: where the rate asks for a longer dwell than they allow, the
    longest that keeps them all is chosen, and `meets` is False. Without a verdict an alarm counts as false.

    Args:
        samples: the camera's log as the rules read it (`walks.Walks.samples`).
        facility, camera: the rules and places as they are.
        recorded: incidents of the ledger; those of other cameras, kinds and times do no harm.
        hours: that the camera was watched.
        rate: alarms per camera-day, of each zone or line.
    """
    places = [part for _, part in camera.parts() if any(v.denied for v in verdicts(part, facility).values())]
    if not places or hours <= 0:
        return ()
    present = {dwell_of(part.type, facility.rules.zone) for part in places}
    found = {d: _replayed(samples, facility, camera, d) for d in sorted({*DWELLS, *present})}
    result = []
    for part in places:
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
    """Longer dwells for the file, which has one for all zones of a kind; and what to say of the others."""
    rules, notices = [], []
    if dwells and not any(d.confirmed or d.now.false for d in dwells):
        notices.append(
            "no alarm of these zones has a verdict: all are counted as false, on the assumption that nothing "
            f"happened in these {hours:.3g} h; decide some, and ask again"
        )
    for dwell in dwells:
        if dwell.chosen is None:
            notices.append(
                f"{dwell.zone}: no dwell up to {dwell.trials[-1].dwell_s:g} s keeps its alarms at {rate:g} a "
                "day: its polygon, schedule or roles need a look, not its dwell"
            )
        elif not dwell.meets:
            notices.append(
                f"{dwell.zone}: {rate:g} false alarms a day cannot be kept without losing one of "
                f"{dwell.confirmed} confirmed incidents: {dwell.chosen.dwell_s:g} s is the longest dwell "
                f"that keeps them, with {dwell.chosen.against} alarms counted as false"
            )
        if dwell.lost:
            notices.append(
                f"{dwell.zone}: {dwell.lost} confirmed incidents are found at no dwell: zone, roles or log "
                "are others than they were, so they hold nothing back"
            )
    for field in ("dwell_s", "dwell_gate_s"):
        group = [d for d in dwells if d.field == field and d.chosen is not None]
        most = max((d.chosen.dwell_s for d in group if d.chosen), default=0.0)
        # One value holds for all: what gives up a confirmed incident of any of them is none.
        value = max((d for d in _keeping(dwells, field) if d <= most), default=0.0)
        if not group or value <= group[0].now.dwell_s:
            continue
        if hours < SHORT_H and any(dwell.now.undecided for dwell in group):
            names = ", ".join(dwell.zone for dwell in group if dwell.now.undecided)
            notices.append(
                f"{field} stays at {group[0].now.dwell_s:g} s: {hours:.2g} h are too short to change it for "
                f"alarms that nobody decided ({names}), expected at least {SHORT_H:g} h or verdicts"
            )
            continue
        rules.append(_rule(field, value, group, when, rate))
    if shorter := [d.zone for d in dwells if d.chosen and d.chosen.dwell_s < d.now.dwell_s]:
        notices.append(
            f"{', '.join(shorter)}: a shorter dwell than now would do; it is not put into the draft, for the "
            "false alarms of other days are not known"
        )
    if rules:
        notices.append("a dwell of the rules holds for the zones of all cameras of the facility")
    return tuple(rules), notices


def _keeping(dwells: Sequence[Dwell], field: str) -> list[float]:
    """The dwells tried at which every zone of a kind keeps its confirmed incidents."""
    columns = zip(*(dwell.trials for dwell in dwells if dwell.field == field), strict=True)
    wanted = [dwell.confirmed for dwell in dwells if dwell.field == field]
    return [column[0].dwell_s for column in columns if [trial.kept for trial in column] == wanted]


def _rule(field: str, value: float, group: Sequence[Dwell], when: str, rate: float) -> RuleProposal:
    told = []
    for dwell in group:
        trial = next(trial for trial in dwell.trials if trial.dwell_s == value)
        told.append(
            f"{dwell.zone} {dwell.now.against} -> {trial.against} false alarms"
            + (f", {trial.kept} of {dwell.confirmed} confirmed kept" if dwell.confirmed else "")
        )
    evidence = (
        f"suggested from {when}, for at most {rate:g} false alarms a day, was {group[0].now.dwell_s:g}: "
        f"{'; '.join(told)}; shorter stays will no longer be seen"
    )
    return RuleProposal(field, value, evidence)


def _replayed(samples: Samples, facility: Facility, camera: Camera, dwell_s: float) -> list[Finding]:
    zone = facility.rules.zone.model_copy(update={"dwell_s": dwell_s, "dwell_gate_s": dwell_s})
    rules = facility.rules.model_copy(update={"zone": zone})
    return evaluate_zones(samples, facility.model_copy(update={"rules": rules}), camera)


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
    days = hours / DAY_H
    keeping = [trial for trial in trials if trial.kept == len(findable)]
    good = [trial for trial in keeping if trial.against <= rate * days]
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
        rate=_rate((chosen or present).against, days),
        trials=tuple(trials),
    )


def _rate(count: int, days: float) -> Estimate:
    """False alarms per camera-day with the exact interval; not known where nothing was watched."""
    return Estimate(count / days, *exact_rate(count, days), "exact") if days > 0 else Estimate(None)


def _same(finding: Finding, incident: Incident) -> bool:
    """Whether a finding is about what an incident is about: of the same person, at the same time."""
    people = {track.id for track in incident.tracks}
    return (
        finding.start <= incident.end
        and incident.start <= finding.end
        and any(track_id(track) in people for track in finding.tracks)
    )
