"""The thresholds of the rules. Every default is a choice of this project and not set by law."""

from __future__ import annotations

from typing import NoReturn, Self

from pydantic import Field, model_validator

from zones.errors import FaultCode
from zones.fields import Metres, Seconds, Share
from zones.validation import Model, refuse

MASK_CHECK_HZ = 2.0
"""Most often that the mask of a person is assessed, per second: the rate of the perception, which also bounds
`MaskRule.min_samples`. Project default (docs/defaults.md)."""


def _conflict(expected: str, value: float, field: str) -> NoReturn:
    refuse(expected, f"{value:g}", field, code=FaultCode.CONFLICT)


class MaskRule(Model):
    """When a face is assessable, and how many samples must agree before a mask incident."""

    min_face_px: int = Field(
        default=32,
        strict=True,
        ge=20,
        le=1000,
        title="Smallest face",
        description="Assessable face height, px; floor 20.",
    )
    min_samples: int = Field(
        default=8,
        strict=True,
        ge=1,
        le=1000,
        title="Samples",
        description="Assessable samples needed in the window.",
    )
    window_s: Seconds = Field(
        default=10.0, gt=0, title="Window", description="Sliding window the samples lie in, s."
    )
    min_span_s: Seconds = Field(
        default=5.0, title="Span", description="Least time from first to last sample, s."
    )
    share: Share = Field(
        default=0.6, gt=0.5, title="Agreement", description="Share of the samples that must agree."
    )
    min_change: Share = Field(
        default=0.01,
        title="Sign of life",
        description="Least change of the picture around a face between two assessments, 0..1.",
    )
    min_changing_share: Share = Field(
        default=0.25,
        title="Share with a sign of life",
        description="Share of the assessments that must show such a change; painted faces show none.",
    )

    swab_s: Seconds = Field(
        default=120.0, title="Swab", description="Unmasked at a care station after arriving: no incident, s."
    )

    @model_validator(mode="after")
    def _can_fire(self) -> Self:
        if self.min_span_s > self.window_s:
            _conflict(f"at most window_s ({self.window_s:g})", self.min_span_s, "min_span_s")
        possible = int(self.window_s * MASK_CHECK_HZ) + 1
        if self.min_samples > possible:
            expected = f"at most {possible}, the samples in window_s at {MASK_CHECK_HZ:g} per second"
            _conflict(expected, self.min_samples, "min_samples")
        return self


class ZoneRule(Model):
    """How long and how deep a foot point must be inside a zone, or beyond a line, to count."""

    dwell_s: Seconds = Field(default=2.0, title="Dwell", description="Stay before a zone crossing counts, s.")
    dwell_gate_s: Seconds = Field(
        default=1.0, title="Dwell at gates", description="The same for perimeter, gate and room_door, s."
    )
    hysteresis_m: float = Field(
        default=0.3,
        strict=True,
        ge=0,
        le=10,
        title="Hysteresis",
        description="Depth past the edge, m, when calibrated.",
    )
    hysteresis_frame: float = Field(
        default=0.02,
        strict=True,
        ge=0,
        le=0.5,
        title="Hysteresis without calibration",
        description="Share of frame height.",
    )
    max_position_se_m: Metres = Field(
        default=1.0,
        title="Position error",
        description="Hidden feet placed with a larger standard error do not enter a zone, m.",
    )
    max_gap_s: Seconds = Field(default=3.0, title="Gap", description="Longest gap in a track bridged, s.")


class ContactRule(Model):
    """When two people on the ground plane are in close contact."""

    distance_m: Metres = Field(
        default=2.0, title="Distance", description="Contact begins under this distance, m."
    )
    release_m: Metres = Field(default=2.3, title="Release", description="Contact ends over this distance, m.")
    min_s: Seconds = Field(default=10.0, title="Duration", description="Shortest contact that counts, s.")
    max_gap_s: Seconds = Field(default=3.0, title="Gap", description="Longest gap in a track bridged, s.")
    max_calibration_error_m: Metres = Field(
        default=0.25,
        title="Calibration error",
        description="Cameras checked worse than this raise no contact, m.",
    )
    max_distance_se_m: Metres = Field(
        default=0.5,
        title="Distance error",
        description="Distances with a larger standard error are not evaluated, m.",
    )
    touch_m: Metres = Field(
        default=0.5, title="Touch", description="Under this distance people may be touching, m."
    )
    touch_s: Seconds = Field(
        default=3.0, title="Touch duration", description="Touch of this length is severe, s."
    )
    care_station_max_s: Seconds = Field(
        default=900.0,
        title="Care",
        description="Staff in PPE with a resident at a care station: log up to this, s.",
    )
    long_s: Seconds = Field(
        default=900.0, gt=0, title="Long contact", description="Total within the window that is severe, s."
    )
    long_window_s: Seconds = Field(
        default=86_400.0, gt=0, title="Window of long contact", description="Contacts in it add up, s."
    )
    same_room_s: Seconds = Field(
        default=60.0,
        title="Same room",
        description="Residents who leave one door within this share a room, s.",
    )
    unknown_rooms: bool = Field(
        default=True,
        strict=True,
        title="Unknown rooms",
        description="Whether residents not seen to leave any door count as of different rooms.",
    )

    @model_validator(mode="after")
    def _distances_are_ordered(self) -> Self:
        if self.release_m < self.distance_m:
            _conflict(f"at least distance_m ({self.distance_m:g})", self.release_m, "release_m")
        if self.touch_m > self.distance_m:
            _conflict(f"at most distance_m ({self.distance_m:g})", self.touch_m, "touch_m")
        return self


class GatheringRule(Model):
    """When residents linked by short distances form a gathering."""

    min_people: int = Field(
        default=3, strict=True, ge=2, le=1000, title="People", description="Fewest linked residents."
    )
    distance_m: Metres = Field(
        default=2.0, title="Distance", description="Two people nearer than this are linked, m."
    )
    min_s: Seconds = Field(default=60.0, title="Duration", description="Shortest gathering that counts, s.")
    max_gap_s: Seconds = Field(default=3.0, title="Gap", description="Longest gap in a track bridged, s.")


class EvidenceRule(Model):
    """How much footage is kept around an incident."""

    before_s: Seconds = Field(default=5.0, title="Before", description="Footage kept before the start, s.")
    after_s: Seconds = Field(default=10.0, title="After", description="Footage kept after the end, s.")
    max_s: Seconds = Field(default=60.0, gt=0, title="Longest clip", description="Longest clip, s.")

    @model_validator(mode="after")
    def _margins_fit(self) -> Self:
        if self.max_s < self.before_s + self.after_s:
            margins = self.before_s + self.after_s
            _conflict(f"at least before_s + after_s ({margins:g})", self.max_s, "max_s")
        return self


class Rules(Model):
    """All thresholds of a facility, with the version of the rule pack they belong to."""

    mask: MaskRule = Field(default=MaskRule(), title="Masks")
    zone: ZoneRule = Field(default=ZoneRule(), title="Zone crossings")
    contact: ContactRule = Field(default=ContactRule(), title="Close contact")
    gathering: GatheringRule = Field(default=GatheringRule(), title="Gatherings")
    evidence: EvidenceRule = Field(default=EvidenceRule(), title="Evidence")
    merge_s: Seconds = Field(
        default=60.0, title="Merge", description="Same camera, kind, zone and track within this: one, s."
    )
    realert_s: Seconds = Field(
        default=600.0, gt=0, title="Re-alert", description="A lasting incident alerts again after, s."
    )
    role_confidence: Share = Field(
        default=0.7, title="Role confidence", description="Under this a role is unknown."
    )
    pack: str = Field(
        default="2026.1", min_length=1, title="Rule pack", description="Version recorded with each incident."
    )
