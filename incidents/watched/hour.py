"""What a camera watched in one clock hour, and what could have been judged in it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from incidents.json_model import Payload, UtcTime
from vision.frames import to_microseconds

RuleName = Literal["zone_crossing", "mask", "contact", "gathering"]


class Ability(Payload):
    """Whether one rule could have raised an incident of a camera in an hour."""

    rule: RuleName
    place: str | None = Field(description="Id of the zone or line of a zone_crossing; null for the others.")
    able: bool
    reason: str = Field(description="Why it could not; empty where it could.")


def mask_reason(tracks: int, assessed: int) -> str:
    """Why no mask could have been judged; empty where one could.

    Args:
        tracks: number of tracks seen for as long as the mask rule needs.
        assessed: number of those with enough assessed faces.
    """
    if not tracks:
        return "no person was seen for long enough"
    if not assessed:
        return f"no face could be assessed, of {tracks} {'track' if tracks == 1 else 'tracks'}"
    return ""


class Advice(Payload):
    """What should be changed so that more can be judged."""

    about: Literal["small_people", "crowd", "fragments", "speed"]
    sentence: str


class HourCounts(Payload):
    """What a camera watched in one clock hour (UTC), under one version of the facility file.

    A person-second is one person in view for one second, by the rows of the observation log.
    """

    camera: str
    start: UtcTime = Field(description="Of the clock hour.")
    facility_version: str = Field(description="SHA-256 of the facility file.")
    analysed_s: float = Field(description="Seconds analysed.")
    idle_s: float = Field(description="Seconds checked for motion, in which nothing moved.")
    recorded_s: float = Field(description="Seconds of which anything is recorded, watched or not.")
    abilities: tuple[Ability, ...] = Field(description="What could have been raised, and what could not.")
    person_s: float = Field(description="Person-seconds, all.")
    feet_s: float = Field(description="Person-seconds with visible feet.")
    metres_s: float = Field(description="Person-seconds with a position in metres that the rules accept.")
    role_s: float = Field(description="Person-seconds with a role by clothes or by a zone of origin.")
    small_s: float = Field(description="Person-seconds of people lower than `small_px` as the detector saw.")
    small_px: float = Field(description="Height in the detector's input under which people are often missed.")
    crowded_s: float = Field(
        default=0.0, description="Person-seconds of people whose box another one overlaps."
    )
    ignored_s: float = Field(
        default=0.0, description="Person-seconds where the camera ignores people: nothing is raised there."
    )
    static_s: float = Field(
        default=0.0,
        description="Person-seconds of tracks that never moved (static): they raise nothing.",
    )
    reflection_s: float = Field(
        default=0.0,
        description="Person-seconds of suspected reflections: they raise nothing.",
    )
    tracks: int = Field(
        description="Tracks seen for at least `min_span_s`; those that the rules found to be of one person "
        "count once."
    )
    tracks_assessed: int = Field(
        description="Those of them with enough assessed faces for the mask rule: `min_samples` in "
        "`window_s`, which span `min_span_s`."
    )
    window_s: float = Field(description="Window of the mask rule, s.")
    min_samples: int = Field(description="Assessed faces that the mask rule needs in its window.")
    min_span_s: float | None = Field(
        default=None,
        description="Least time from the first to the last of them, s; null in counts of earlier versions, "
        "where it was `window_s`.",
    )
    advice: tuple[Advice, ...] = Field(default=(), description="What should be changed.")
    deleted_s: float = Field(
        default=0.0,
        description="Seconds of footage with people that are not in these counts, because the observations "
        "were deleted before they were counted.",
    )
    added_s: float = Field(
        default=0.0,
        description="Seconds of footage that were added later and are not in these counts, because the "
        "observations of what was counted had been deleted by then.",
    )
    notices: tuple[str, ...] = Field(
        default=(), description="Sentences about what was not evaluated, and why."
    )

    @property
    def hour(self) -> int:
        """Start of the hour, microseconds UTC."""
        return to_microseconds(self.start)

    @property
    def watched_s(self) -> float:
        """Seconds watched: analysed or idle."""
        return self.analysed_s + self.idle_s
