"""The counts of clock hours put together, and said in a few sentences, to stand beside every count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pydantic import Field

from incidents.coverage import NO_RECORD, WATCHED, Interval, normalise
from incidents.json_model import Payload, UtcTime
from incidents.watched.hour import Ability, HourCounts, mask_reason
from vision.frames import EPOCH, SECOND

MAX_REASONS_SPOKEN = 2
"""Reasons that are named where a rule could not have raised anything for different reasons in different
hours. Project default (docs/defaults.md)."""
MAX_CAMERAS_SPOKEN = 8
"""Cameras up to which each gets its own sentences beside a count; of more, only those that could raise
nothing or were not watched are named. Project default (docs/defaults.md)."""


AS_A_WHOLE = "in these clock hours as a whole, "
"""How a sentence on counts begins that are of more footage than the time asked for."""


class SharePayload(Payload):
    """Person-seconds of a kind, of all."""

    person_s: float
    feet_s: float
    metres_s: float
    role_s: float
    small_s: float
    crowded_s: float
    ignored_s: float
    static_s: float
    reflection_s: float


class NotWatchedPayload(Payload):
    """Some time in which a camera was not watched, and why."""

    start: UtcTime
    end: UtcTime
    state: str
    cause: str

    @classmethod
    def of(cls, interval: Interval) -> NotWatchedPayload:
        """The payload of an interval of the coverage."""
        start, end = (EPOCH + timedelta(microseconds=t) for t in (interval.start, interval.end))
        return cls(start=start, end=end, state=interval.state.value, cause=interval.cause)


class WatchPayload(Payload):
    """What was watched of one camera, and what could have been judged, over some time."""

    camera: str
    watched_s: float = Field(description="Seconds analysed, or checked for motion.")
    recorded_s: float = Field(description="Seconds of footage, watched or not.")
    unknown_s: float = Field(description="Seconds within that time of which nothing is recorded.")
    could_raise: list[Ability] = Field(description="What could have been raised in at least one hour.")
    could_not: list[Ability] = Field(description="What could not, with the reason that fits all the hours.")
    people: SharePayload
    tracks: int = Field(
        description="Tracks seen for long enough to judge a mask; those of one person count once."
    )
    tracks_assessed: int
    uncounted: list[str] = Field(
        description="Sentences about footage that a count leaves out: not evaluated yet, not read, or with "
        "deleted observations."
    )
    not_watched: list[NotWatchedPayload] = Field(
        description="Times of a second and more of which something is recorded and that were not watched."
    )
    hours: list[HourCounts]


@dataclass(frozen=True)
class CameraWatch:
    """What was watched of one camera, and what could have been judged, over some time.

    Attributes:
        camera: id of the camera.
        watched_s, recorded_s, unknown_s: see `WatchPayload`.
        hours: the counts of the clock hours, by time; hours without counts are left out.
        uncounted: sentences about footage that a count leaves out (`pipelines.watched.uncounted`,
            `pipelines.watched.deleted_observations`).
        countable: the hours were not counted yet, and can be (`pipelines.watched.watches.watches_in_full`).
        not_watched: times of a second and more that were not watched, with their state and cause.
    """

    camera: str
    watched_s: float
    recorded_s: float
    unknown_s: float
    hours: tuple[HourCounts, ...]
    uncounted: tuple[str, ...] = ()
    countable: bool = False
    not_watched: tuple[Interval, ...] = ()

    @property
    def counted_s(self) -> float:
        """Seconds of footage of the clock hours whose counts these are."""
        return self.total("recorded_s")

    @property
    def could_raise(self) -> tuple[Ability, ...]:
        """What could have been raised in at least one hour."""
        return tuple(item for item in self._abilities() if item.able)

    @property
    def could_not(self) -> tuple[Ability, ...]:
        """What could not have been raised in any hour, with the reason that fits them all."""
        return tuple(item for item in self._abilities() if not item.able)

    @property
    def notices(self) -> tuple[str, ...]:
        """The notices of all hours, each once."""
        return tuple(dict.fromkeys(text for item in self.hours for text in item.notices))

    @property
    def advice(self) -> tuple[str, ...]:
        """What should be changed: of each kind of advice, that of the last hour that has it."""
        last = {item.about: item.sentence for hour in self.hours for item in hour.advice}
        return tuple(last.values())

    def able_hours(self, item: Ability) -> int:
        """In how many of the hours it could have been raised."""
        same = (other for hour in self.hours for other in hour.abilities if other.able)
        return sum((other.rule, other.place) == (item.rule, item.place) for other in same)

    def total(self, name: str) -> float:
        """The sum of a field of the hours, such as `person_s`."""
        return float(sum(getattr(item, name) for item in self.hours))

    def to_payload(self) -> WatchPayload:
        """The model of the JSON."""
        people = {name: round(self.total(name), 3) for name in SharePayload.model_fields}
        return WatchPayload(
            camera=self.camera,
            watched_s=self.watched_s,
            recorded_s=self.recorded_s,
            unknown_s=self.unknown_s,
            could_raise=list(self.could_raise),
            could_not=list(self.could_not),
            people=SharePayload(**people),
            tracks=int(self.total("tracks")),
            tracks_assessed=int(self.total("tracks_assessed")),
            uncounted=list(self.uncounted),
            not_watched=[NotWatchedPayload.of(item) for item in self.not_watched],
            hours=list(self.hours),
        )

    def _abilities(self) -> tuple[Ability, ...]:
        found: dict[tuple[str, str | None], list[tuple[HourCounts, Ability]]] = {}
        for hour in self.hours:
            for item in hour.abilities:
                found.setdefault((item.rule, item.place), []).append((hour, item))
        return tuple(self._over_hours(items) for items in found.values())

    def _over_hours(self, items: Sequence[tuple[HourCounts, Ability]]) -> Ability:
        """One ability of all hours: able where it was in one of them, else with the reason that fits all."""
        for _, item in items:
            if item.able:
                return item
        reason = ""
        if items[0][1].rule == "mask":
            reason = mask_reason(int(self.total("tracks")), int(self.total("tracks_assessed")))
        reason = reason or self._reasons(items)
        return items[-1][1].model_copy(update={"reason": reason})

    def _reasons(self, items: Sequence[tuple[HourCounts, Ability]]) -> str:
        """The reasons of the hours; where they differ, those of most person-seconds, with their hours."""
        hours: dict[str, list[HourCounts]] = {}
        for hour, item in items:
            hours.setdefault(item.reason, []).append(hour)
        said = sorted(hours, key=lambda text: -sum(hour.person_s for hour in hours[text]))
        total = len(self.hours)
        if len(said) == 1 and len(items) == total:
            return said[0]
        texts = [f"in {len(hours[text])} of {total} hours {text}" for text in said[:MAX_REASONS_SPOKEN]]
        return ", ".join(
            [*texts, *(["in others for other reasons"] if len(said) > MAX_REASONS_SPOKEN else [])]
        )


def watch_of(
    camera: str,
    coverage: Iterable[Interval],
    hours: Sequence[HourCounts],
    asked: tuple[int | None, int | None],
    uncounted: Sequence[str] = (),
    *,
    countable: bool = False,
) -> CameraWatch:
    """Put together what was watched of a camera.

    Args:
        camera: its id.
        coverage: what it was doing in the time asked for.
        hours: the counts of the hours in that time.
        asked: the time asked for, microseconds UTC; None = as far as anything is recorded.
        uncounted, countable: see `CameraWatch`.
    """
    recorded = [item for item in normalise(coverage) if item.cause != NO_RECORD]
    watched = sum(item.length for item in recorded if item.state in WATCHED)
    total = sum(item.length for item in recorded)
    span = 0
    if recorded:
        start = recorded[0].start if asked[0] is None else asked[0]
        end = recorded[-1].end if asked[1] is None else asked[1]
        span = end - start
    elif asked[0] is not None and asked[1] is not None:
        span = asked[1] - asked[0]
    seconds = watched / SECOND, total / SECOND, (span - total) / SECOND
    lost = tuple(item for item in recorded if item.state not in WATCHED and item.length >= SECOND)
    return CameraWatch(camera, *seconds, tuple(hours), tuple(uncounted), countable, lost)


def watch_sentences(watches: Sequence[CameraWatch]) -> list[str]:
    """What stands beside a count: what was watched, for how long, what could have been raised, what not."""
    if not watches:
        return ["Nothing was watched in that time: a count of incidents means nothing."]
    if len(watches) <= MAX_CAMERAS_SPOKEN:
        return [text for watch in watches for text in camera_sentences(watch)]
    watched, recorded = sum(w.watched_s for w in watches), sum(w.recorded_s for w in watches)
    total = (
        f"{len(watches)} cameras: watched {duration_text(watched)} of {duration_text(recorded)} of footage"
    )
    idle = [watch.camera for watch in watches if not watch.recorded_s]
    unable = [watch.camera for watch in watches if watch.hours and not watch.could_raise]
    return [
        f"{total}{percent_text(watched, recorded)}. What each could raise: lazaretto coverage",
        *([f"Not watched: {', '.join(idle)}."] if idle else []),
        *([f"Could raise nothing: {', '.join(unable)}."] if unable else []),
        *(text for watch in watches for text in watch.uncounted),
        *marked_sentences(watches),
    ]


def camera_sentences(watch: CameraWatch) -> list[str]:
    """What was watched of one camera, what a count leaves out, what could have been judged, and advice."""
    name = watch.camera
    if not watch.recorded_s:
        return [f"{name}: nothing was watched in that time.", *watch.uncounted]
    text = (
        f"{name}: watched {duration_text(watch.watched_s)} of {duration_text(watch.recorded_s)} of footage"
        f"{percent_text(watch.watched_s, watch.recorded_s)}"
    )
    if watch.unknown_s >= 1:
        text += f"; of another {duration_text(watch.unknown_s)} in that time nothing is recorded"
    if not watch.hours:
        text += "; what could have been raised then is not "
        text += (
            "counted yet: lazaretto coverage counts it" if watch.countable else "known: no hour was counted"
        )
        return [f"{text}.", *watch.uncounted]
    if watch.watched_s < 1:
        return [f"{text}. Nothing was watched, so that nothing could have been raised.", *watch.uncounted]
    able, unable = watch.could_raise, watch.could_not
    if able:
        text += f". Could have been raised: {_spoken(watch, able)}"
    else:
        text += ". Nothing could have been raised"
    if unable:
        reasons = "; ".join(f"{_name(item)} ({item.reason})" for item in unable)
        text += f". Could not: {reasons}"
    people = f"{name}: {_people_text(watch)}."
    return [f"{text}.", *watch.uncounted, people, *marked_sentences([watch]), *watch.advice]


def marked_sentences(watches: Sequence[CameraWatch]) -> list[str]:
    """A sentence about people who were in view and raised nothing: ignored, static, suspected reflections."""
    parts = [
        f"{seconds:,.0f} {what}"
        for field, what in (
            ("ignored_s", "where the facility file ignores people: such an area is not watched"),
            ("static_s", "of what never moved, such as a statue or a poster (static)"),
            ("reflection_s", "of suspected reflections"),
        )
        if (seconds := sum(watch.total(field) for watch in watches)) >= 0.5
    ]
    if not parts:
        return []
    name = watches[0].camera if len(watches) == 1 else f"{len(watches)} cameras"
    whole = AS_A_WHOLE if any(map(_counts_more, watches)) else ""
    return [f"{name}: {whole}of the person-seconds in view, these raised nothing: {'; '.join(parts)}."]


def _counts_more(watch: CameraWatch) -> bool:
    """Whether the counts, which are kept for clock hours, are of more footage than the time asked for."""
    return watch.counted_s > watch.recorded_s + 0.5


def _people_text(watch: CameraWatch) -> str:
    people, last = watch.total("person_s"), watch.hours[-1]
    if not people:
        partly = any(item.deleted_s or item.added_s for item in watch.hours)
        return "no person was seen in the footage that was counted" if partly else "no person was seen"
    parts = [
        f"{100 * watch.total(field) / people:.0f} % {what}"
        for field, what in (
            ("feet_s", "with visible feet"),
            ("metres_s", "placed in metres"),
            ("role_s", "with a role by clothes or by a door (the others have the camera's default)"),
            ("small_s", f"smaller than the detector needs ({last.small_px:g} px as the detector saw them)"),
            ("crowded_s", "partly behind or before others"),
        )
    ]
    whole = AS_A_WHOLE if _counts_more(watch) else ""
    tracks, assessed = int(watch.total("tracks")), int(watch.total("tracks_assessed"))
    least = last.window_s if last.min_span_s is None else last.min_span_s
    return (
        f"{whole}of {people:,.0f} person-seconds {', '.join(parts)}; enough faces assessed of {assessed} of "
        f"{tracks} {'track' if tracks == 1 else 'tracks'} seen for {least:g} s"
    )


def duration_text(seconds: float) -> str:
    """A duration for people: "12.4 s", "1 min 53 s", "2 h 5 min", "3 d 4 h"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    for size, unit, smaller, small_unit in (
        (86_400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {small_unit}" if rest else "")
    return f"{whole} s"


def percent_text(part: float, whole: float) -> str:
    """A share in parentheses: (97.3 %). It is 100 % only where nothing is missing, and 0 % where all is."""
    if not whole:
        return ""
    percent = 100 * part / whole
    if 0 < percent < 0.05:
        return " (under 0.1 %)"
    if 99.95 <= percent < 100:
        return " (over 99.9 %)"
    return f" ({percent:.1f} %)".replace("100.0", "100")


def _spoken(watch: CameraWatch, items: Iterable[Ability]) -> str:
    """What could have been raised; what could be only in some of the hours, with their number."""
    total = len(watch.hours)

    def named(item: Ability) -> str:
        able = watch.able_hours(item)
        return _name(item) if able == total else f"{_name(item)} (in {able} of {total} hours)"

    places = [named(item) for item in items if item.rule == "zone_crossing"]
    words = [f"zone crossing at {', '.join(places)}"] if places else []
    return "; ".join([*words, *(named(item) for item in items if item.rule != "zone_crossing")])


def _name(item: Ability) -> str:
    if item.rule == "zone_crossing":
        return item.place or "zone crossing"
    return {"mask": "masks", "contact": "contact", "gathering": "gathering"}[item.rule]
