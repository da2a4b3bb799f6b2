"""Comparison of two versions of a facility's rules on one log: incidents gained, lost and changed, and the
precision and recall of each version by the reviewers' verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from incidents.comparison_payload import ChangePayload, FieldChangePayload, FieldValue, ScorePayload
from incidents.local_time import local_datetime, local_iso
from incidents.record import Incident, Status
from vision.frames import SECOND

MAX_APART_US = 60 * SECOND
"""Longest time between two incidents of the same people that can be one event, microseconds. It is the time
within which episodes merge by default. Project default (docs/defaults.md)."""
CONFIRMED = frozenset({Status.CONFIRMED, Status.REPORTED})

_COMPARED_FIELDS = ("zone", "subkind", "severity", "start", "end", "tracks", "mask_state", "distance_min")
"""Fields that are compared. Thresholds are not: they differ because the rules were edited."""


@dataclass(frozen=True)
class Change:
    """One event under the old rules, the new ones, or both.

    Attributes:
        old, new: the incident that each version raises; None if it raises none.
        verdict: confirmed, false_alarm, inconclusive, or None (not decided yet).
        recorded: id of the incident in the ledger with that verdict; None if it is not in the ledger.
        differences: fields that differ, each as (name, old, new), if both versions raise the event.
    """

    old: Incident | None
    new: Incident | None
    verdict: str | None
    recorded: str | None
    differences: tuple[tuple[str, FieldValue, FieldValue], ...] = ()

    @property
    def incident(self) -> Incident:
        """The new one, else the old one."""
        found = self.new or self.old
        assert found is not None
        return found

    def to_payload(self) -> ChangePayload:
        """The change as JSON shows it."""
        shown = self.incident
        return ChangePayload(
            id=shown.id,
            old_id=self.old.id if self.old else None,
            new_id=self.new.id if self.new else None,
            recorded=self.recorded,
            camera=shown.camera,
            kind=shown.kind,
            zone=shown.zone,
            severity=shown.severity,
            start=local_datetime(shown.start, shown.timezone),
            end=local_datetime(shown.end, shown.timezone),
            verdict=self.verdict,
            differences={name: FieldChangePayload(old=old, new=new) for name, old, new in self.differences},
        )


@dataclass(frozen=True)
class Score:
    """Incidents of one version of the rules by verdict, for one kind and zone.

    Attributes:
        confirmed: events that reviewers confirmed and this version raises.
        missed: events that reviewers confirmed and this version does not raise.
        false_alarms: raised, and decided to be false.
        undecided: raised, and not decided or inconclusive.
    """

    confirmed: int = 0
    missed: int = 0
    false_alarms: int = 0
    undecided: int = 0

    @property
    def raised(self) -> int:
        """Number of incidents that this version raises."""
        return self.confirmed + self.false_alarms + self.undecided

    @property
    def precision(self) -> tuple[int, int]:
        """(confirmed, decided): the precision as a fraction, over the raised incidents with a decision."""
        return self.confirmed, self.confirmed + self.false_alarms

    @property
    def recall(self) -> tuple[int, int]:
        """(raised, confirmed): the recall as a fraction, over the events that were confirmed.

        It is an upper bound: events that no version has raised are not known.
        """
        return self.confirmed, self.confirmed + self.missed

    def to_payload(self) -> ScorePayload:
        """The score as JSON shows it; a share with denominator zero is null."""
        (right, decided), (found, confirmed) = self.precision, self.recall
        return ScorePayload(
            raised=self.raised,
            confirmed=self.confirmed,
            missed=self.missed,
            false_alarms=self.false_alarms,
            undecided=self.undecided,
            precision=right / decided if decided else None,
            recall=found / confirmed if confirmed else None,
        )


@dataclass(frozen=True)
class Comparison:
    """The difference between two versions of a facility's rules on one log.

    Attributes:
        same: events that both raise without a difference.
        changed: events that both raise with a difference.
        gained: events that only the new version raises.
        lost: events that only the old version raises.
        missed: incidents confirmed in the ledger that neither version raises.
        scores: (kind, zone or "") -> scores of the old and the new version; ("", "") = all kinds and zones.
    """

    same: tuple[Change, ...]
    changed: tuple[Change, ...]
    gained: tuple[Change, ...]
    lost: tuple[Change, ...]
    missed: tuple[Incident, ...]
    scores: Mapping[tuple[str, str], tuple[Score, Score]]


def compare(
    old: Sequence[Incident], new: Sequence[Incident], recorded: Sequence[Incident] = ()
) -> Comparison:
    """Compare the incidents that two versions of the rules raise on one log.

    Two incidents are the same event if their ids are equal. Otherwise they are, if they have the same kind,
    camera and zone, share a person, and are at most MAX_APART_US apart. Otherwise the zone may differ,
    because it may have been drawn again under another id. Each incident is matched once, the nearest first.
    Incidents of the ledger, which have the verdicts, are matched in the same way.

    Args:
        old, new: incidents of a replay of each version.
        recorded: incidents of the ledger, of the same cameras and time.
    """
    pairs = list(_matched(old, new))
    known = {
        **{id(incident): found for found, incident in _matched(recorded, old) if found and incident},
        **{id(incident): found for found, incident in _matched(recorded, new) if found and incident},
    }
    changes = [_change(a, b, known) for a, b in pairs]
    raised = {found.id for found in known.values()}
    silent = [incident for incident in recorded if incident.id not in raised]
    return Comparison(
        same=_sorted(c for c in changes if c.old and c.new and not c.differences),
        changed=_sorted(c for c in changes if c.old and c.new and c.differences),
        gained=_sorted(c for c in changes if c.old is None),
        lost=_sorted(c for c in changes if c.new is None),
        missed=tuple(incident for incident in silent if verdict_of(incident) == Status.CONFIRMED.value),
        scores=_scores(_events(changes, silent)),
    )


def verdict_of(incident: Incident) -> str | None:
    """The decision of the review: confirmed, false_alarm, inconclusive, or None."""
    return Status.CONFIRMED.value if incident.status in CONFIRMED else incident.decision


def _change(old: Incident | None, new: Incident | None, known: Mapping[int, Incident]) -> Change:
    found = known.get(id(new)) if new is not None else None
    if found is None or verdict_of(found) is None:
        found = (known.get(id(old)) if old is not None else None) or found
    differences: tuple[tuple[str, FieldValue, FieldValue], ...] = ()
    if old is not None and new is not None:
        pairs = ((name, _field_value(old, name), _field_value(new, name)) for name in _COMPARED_FIELDS)
        differences = tuple(item for item in pairs if item[1] != item[2])
    verdict = None if found is None else verdict_of(found)
    return Change(old, new, verdict, None if found is None else found.id, differences)


def _field_value(incident: Incident, name: str) -> FieldValue:
    if name in ("start", "end"):
        return local_iso(getattr(incident, name), incident.timezone)
    if name == "tracks":
        return [f"{track.id} {track.role}" for track in incident.tracks]
    value: FieldValue = getattr(incident, name)
    return value


def _matched(
    old: Sequence[Incident], new: Sequence[Incident]
) -> Iterator[tuple[Incident | None, Incident | None]]:
    """Each incident once, with the incident of the other side that is the same event, or None."""
    left = {incident.id: incident for incident in new}
    rest = []
    for incident in old:
        if incident.id in left:
            yield incident, left.pop(incident.id)
        else:
            rest.append(incident)
    for with_zone in (True, False):
        candidates: dict[tuple[str, ...], list[Incident]] = {}
        for incident in left.values():
            for key in _keys(incident, with_zone):
                candidates.setdefault(key, []).append(incident)
        near = [
            (apart, incident.id, other.id, incident, other)
            for incident in rest
            for other in {
                o.id: o for key in _keys(incident, with_zone) for o in candidates.get(key, ())
            }.values()
            if (apart := _apart(incident, other)) <= MAX_APART_US
        ]
        used: set[int] = set()
        for _, _, _, incident, other in sorted(near, key=lambda item: item[:3]):
            if id(incident) not in used and other.id in left:
                used.add(id(incident))
                yield incident, left.pop(other.id)
        rest = [incident for incident in rest if id(incident) not in used]
    yield from ((incident, None) for incident in rest)
    yield from ((None, incident) for incident in left.values())


def _keys(incident: Incident, with_zone: bool) -> set[tuple[str, ...]]:
    zone = (incident.zone or "",) if with_zone else ()
    return {(incident.camera, incident.kind, track.id, *zone) for track in incident.tracks}


def _apart(one: Incident, other: Incident) -> int:
    """Microseconds between two incidents; less than 0 by how long they overlap."""
    return max(one.start, other.start) - min(one.end, other.end)


def _events(
    changes: Iterable[Change], silent: Iterable[Incident]
) -> Iterator[tuple[str, str, str | None, bool, bool]]:
    """(kind, zone, verdict, raised by the old version, raised by the new version) of each event."""
    for change in changes:
        shown = change.old or change.incident
        yield shown.kind, shown.zone or "", change.verdict, change.old is not None, change.new is not None
    for incident in silent:
        yield incident.kind, incident.zone or "", verdict_of(incident), False, False


def _scores(
    events: Iterable[tuple[str, str, str | None, bool, bool]],
) -> dict[tuple[str, str], tuple[Score, Score]]:
    counts: dict[tuple[str, str], list[dict[str, int]]] = {}
    for kind, zone, verdict, *by in events:
        for key in (("", ""), (kind, zone)):
            for count, raised in zip(counts.setdefault(key, [{}, {}]), by, strict=True):
                if raised:
                    name = {"confirmed": "confirmed", "false_alarm": "false_alarms"}.get(
                        verdict or "", "undecided"
                    )
                elif verdict == Status.CONFIRMED.value:
                    name = "missed"
                else:
                    continue
                count[name] = count.get(name, 0) + 1
    return {key: (Score(**old), Score(**new)) for key, (old, new) in sorted(counts.items()) if old or new}


def _sorted(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: (change.incident.start, change.incident.id)))
