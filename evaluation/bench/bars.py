"""The bars of the project: what its speed, cost and memory are held to, and by how much one is missed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from evaluation.bench.measuring import Timing
from evaluation.bench.sets import Bars

TIMES_TRACK = 8.0
"""Least speed on a camera that is always occupied, in speeds of `YOLO.track` on every frame. Project default
(docs/defaults.md)."""
TIMES_DECODING = 1.5
"""Most time for a quiet camera at 1080p, in times of decoding alone. Project default (docs/defaults.md)."""
REAL_TIME_CAMERAS = 16
"""Substream cameras that are analysed in real time on two cores. Project default (docs/defaults.md)."""
SPARE = 0.2
"""Least share of the time to spare with that many cameras. Project default (docs/defaults.md)."""
CAMERA_MB = 60.0
"""Most memory of a further substream camera, megabytes. Project default (docs/defaults.md)."""


@dataclass(frozen=True)
class Bar:
    """A bar and what was measured.

    Attributes:
        name: what is held to it.
        relation: whether the value must be at least or at most the bar.
        bar, value: of one unit.
        unit: of both.
    """

    name: str
    relation: Literal["at least", "at most"]
    bar: float
    value: float
    unit: str

    @property
    def missed_by(self) -> float:
        """By how much the bar is missed, in its unit; 0 where it is held."""
        short = self.bar - self.value if self.relation == "at least" else self.value - self.bar
        return max(0.0, short)

    @property
    def sentence(self) -> str:
        """The bar, the value, and whether it is held."""
        end = f"missed by {self.missed_by:.3g}" if self.missed_by else "held"
        return f"{self.name}: {self.relation} {self.bar:.3g} {self.unit}, got {self.value:.3g}: {end}"

    def to_dict(self) -> dict[str, object]:
        """The bar for JSON."""
        return {**asdict(self), "held": not self.missed_by, "missed_by": round(self.missed_by, 4)}


def bars_of(
    kind: Bars | None,
    timings: Mapping[str, Timing],
    f1: Mapping[str, float | None],
    mb_per_camera: float | None,
) -> list[Bar]:
    """The bars of a set that can be judged by what was run.

    Args:
        kind: of the set; None = no bars.
        timings: by workload, medians.
        f1: by workload, of whole events.
        mb_per_camera: memory of a further camera, from a curve.
    """
    ours, track, decoding = (timings.get(name) for name in ("pipeline", "track", "decode"))
    bars: list[Bar] = []
    if ours is not None and kind == "busy" and track is not None:
        times = ours.speed / track.speed
        bars.append(Bar("speed beside YOLO.track on every frame", "at least", TIMES_TRACK, times, "times"))
        own, other = f1.get("pipeline"), f1.get("track")
        if own is not None and other is not None:
            bars.append(Bar("event F1 beside that of YOLO.track", "at least", other, own, "F1"))
    if ours is not None and kind == "quiet" and decoding is not None:
        times = ours.working_s / decoding.working_s
        bars.append(Bar("time beside decoding alone", "at most", TIMES_DECODING, times, "times"))
    if ours is not None and kind == "many" and ours.cameras >= REAL_TIME_CAMERAS:
        least = ours.cameras / (1 - SPARE)
        name = f"{ours.cameras} cameras in real time with {SPARE:.0%} to spare"
        bars.append(Bar(name, "at least", least, ours.speed, "camera-seconds per second"))
    if mb_per_camera is not None and kind == "many":
        bars.append(Bar("memory of a further camera", "at most", CAMERA_MB, mb_per_camera, "MB"))
    return bars
