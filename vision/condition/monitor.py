"""What is wrong with a camera, from its pictures: frozen, covered, dark, blurred or moved."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import get_args

import cv2
import numpy as np
import numpy.typing as npt

from vision.condition.judging import (
    DEFAULT_SETTINGS,
    ConditionSettings,
    Finding,
    Kind,
    judge,
    shows_something,
)
from vision.condition.references import References
from vision.condition.stillness import Stillness
from vision.condition.view import Floats, Picture, detail_of, edges_of
from vision.frames import SECOND
from vision.state import State, as_part, part_of, text_array, text_of

SAMPLE_S = 2.0
"""Seconds between the pictures of which the view is made. Project default (docs/defaults.md)."""
SAMPLES = 9
"""Pictures of which the view is the median, pixel by pixel: who walks through does not belong to it.
Project default (docs/defaults.md)."""
MIN_SAMPLES = 5
"""Fewest pictures of which a view is made. Project default (docs/defaults.md)."""
RAISE_S = 30.0
"""Seconds for which the view must be impaired before the condition is raised. With the half window of the
median a condition is raised 40 s after it begins; who stands before the lens for 20 s raises none. Project
default (docs/defaults.md)."""
END_S = 10.0
"""Seconds for which the view must be good before the condition ends. Project default (docs/defaults.md)."""
MIN_CHANGE_SHARE = 0.67
"""Share of the last views, up to RAISE_S, that must show another condition before it takes the place of the
one in force. Project default (docs/defaults.md)."""
MAX_STEP_S = 5.0
"""Longest time for which a picture speaks, seconds: a gap is no evidence. Project default
(docs/defaults.md)."""
MAX_GAP_S = 30.0
"""After a longer time without a picture the view is made anew, seconds. A condition in force stays until
pictures say otherwise. Project default (docs/defaults.md)."""
MIN_SIDE_PX = 32
"""Least side of the reduced picture, px. Project default (docs/defaults.md)."""


@dataclass(frozen=True)
class Condition:
    """What is wrong with a camera now.

    Attributes:
        state: what is in force, None where nothing is.
        since: stream time from which it is in force, microseconds UTC: of the first picture that showed it,
            which lies up to a minute before it is raised; without a state, of the first picture that was
            good.
        cause: half a sentence with the figures, for the coverage; empty without a state.
    """

    state: Kind | None
    since: int
    cause: str


@dataclass(frozen=True)
class _Sample:
    t: int
    picture: Picture
    detail: Floats
    contrast: Floats


class ConditionMonitor:
    """Watches the pictures of one camera; they come in order of stream time, at up to 5 per second."""

    def __init__(self, settings: ConditionSettings = DEFAULT_SETTINGS) -> None:
        """Begin without an expected view: the first good view is accepted."""
        self._settings = settings
        self._stillness = Stillness()
        self._references = References()
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)
        self._condition = Condition(None, 0, "")
        self._last: int | None = None
        # Of the run of views that are all good, or all impaired: since when, how long, and what they showed.
        self._run_since = 0
        self._run_s = 0.0
        self._run: deque[Kind] = deque(maxlen=round(RAISE_S / SAMPLE_S))
        self._causes: dict[Kind, str] = {}

    def update(self, t: int, picture: np.ndarray) -> Condition:
        """Take the next picture, and tell what is in force.

        Args:
            t: stream time, microseconds UTC.
            picture: luma, height x width, uint8, reduced by area averaging to a longer side of 192 px
                (`vision.gate.motion.reduced_size`), or the whole picture where it is smaller.

        Raises:
            ValueError: the picture is not of that form.
        """
        if picture.ndim != 2 or picture.dtype != np.uint8 or min(picture.shape) < MIN_SIDE_PX:
            raise ValueError(
                f"expected luma of height x width, uint8, at least {MIN_SIDE_PX} px each way, "
                f"got {picture.shape}, {picture.dtype}"
            )
        size = self._references.size
        if size is not None and picture.shape != size:
            # Another stream of the same camera: it is compared at the size of the view that was accepted.
            picture = np.asarray(cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        gap = 0.0 if self._last is None else max(0.0, (t - self._last) / SECOND)
        if self._last is None:
            self._condition, self._run_since = Condition(None, t, ""), t
        self._last = t
        if gap > MAX_GAP_S or (self._samples and self._samples[-1].picture.shape != picture.shape):
            self._forget_views(t)
        seconds = min(gap, MAX_STEP_S)
        self._stillness.enter(picture, t, seconds)
        self._watch_stillness(picture, t)
        if self._condition.state != "frozen" and self._is_due(t):
            self._sample(picture, t)
        return self._condition

    def accept_view(self) -> None:
        """Take the view that the camera shows from now on for the expected one; an engineer confirmed it."""
        self._references.accept_next()
        t = self._last or 0
        self._forget_views(t)
        if self._condition.state not in (None, "frozen"):
            self._condition = Condition(None, t, "")

    def state(self) -> State:
        """Everything that a restart needs, as arrays; the accepted views are among it."""
        condition = self._condition
        samples = self._samples
        return {
            **as_part("stillness", self._stillness.state()),
            **as_part("references", self._references.state()),
            "samples.t": np.array([sample.t for sample in samples], np.int64),
            "samples.pictures": _stacked([sample.picture for sample in samples], np.uint8),
            "samples.detail": _stacked([sample.detail for sample in samples], np.float32),
            "samples.contrast": _stacked([sample.contrast for sample in samples], np.float32),
            "condition": text_array(condition.state or ""),
            "condition.cause": text_array(condition.cause),
            "times": np.array(
                [condition.since, -1 if self._last is None else self._last, self._run_since], np.int64
            ),
            "run_s": np.array(self._run_s),
            "run": text_array(" ".join(self._run)),
            **{f"cause.{kind}": text_array(cause) for kind, cause in self._causes.items()},
        }

    def restore(self, state: State) -> None:
        """Take over a state."""
        self._stillness.restore(part_of(state, "stillness"))
        self._references.restore(part_of(state, "references"))
        parts = (state[f"samples.{name}"] for name in ("t", "pictures", "detail", "contrast"))
        self._samples.clear()
        for t, picture, detail, contrast in zip(*parts, strict=True):
            sample = _Sample(
                int(t), picture.astype(np.uint8), detail.astype(np.float32), contrast.astype(np.float32)
            )
            self._samples.append(sample)
        since, last, self._run_since = state["times"].astype(int).tolist()
        self._last = None if last < 0 else last
        self._condition = Condition(
            _kind(text_of(state["condition"])), since, text_of(state["condition.cause"])
        )
        self._run_s = float(state["run_s"])
        self._run.clear()
        self._run.extend(kind for name in text_of(state["run"]).split() if (kind := _kind(name)))
        self._causes = {
            kind: text_of(state[f"cause.{kind}"]) for kind in get_args(Kind) if f"cause.{kind}" in state
        }

    def _watch_stillness(self, picture: Picture, t: int) -> None:
        still = self._stillness
        if self._condition.state == "frozen":
            if still.live:
                self._condition = Condition(None, t, "")
                self._forget_views(t)
        elif still.frozen and shows_something(picture):
            cause = f"the same picture for {still.seconds:.0f} s while the time of the stream went on"
            self._condition = Condition("frozen", still.since, cause)

    def _is_due(self, t: int) -> bool:
        return not self._samples or t - self._samples[-1].t >= SAMPLE_S * SECOND or t < self._samples[-1].t

    def _sample(self, picture: Picture, t: int) -> None:
        seconds = min(MAX_STEP_S, max(0.0, (t - self._samples[-1].t) / SECOND)) if self._samples else 0.0
        self._samples.append(_Sample(t, picture.copy(), *detail_of(picture)))
        if len(self._samples) < MIN_SAMPLES:
            return
        # Detail is that of single pictures: a camera that shakes blurs the median.
        view = _median_picture([sample.picture for sample in self._samples])
        detail = np.median([sample.detail for sample in self._samples], 0).astype(np.float32)
        contrast = np.median([sample.contrast for sample in self._samples], 0).astype(np.float32)
        edges = edges_of(view)
        comparison = self._references.compare(view, edges, detail, contrast, t)
        finding = judge(view, edges, comparison, self._references.confirmed, self._settings)
        self._enter(finding, t, seconds)
        if finding.kind is not None or self._condition.state is not None:
            self._references.interrupt()
        elif len(self._samples) == SAMPLES and not self._may_be_frozen(view):
            self._references.learn(view, edges, detail, contrast, t, comparison, seconds)

    def _enter(self, finding: Finding, t: int, seconds: float) -> None:
        """Let a view count for or against a condition."""
        kind = finding.kind
        # What most of the samples show began with the one in the middle.
        began = self._samples[(len(self._samples) - 1) // 2].t
        if (kind is None) == (not self._run):
            self._run_s += seconds
        else:
            self._run_since, self._run_s = began, 0.0
            self._run.clear()
            self._causes.clear()
        if kind is None:
            if self._condition.state is not None and self._run_s >= END_S:
                self._condition = Condition(None, self._run_since, "")
            return
        self._run.append(kind)
        self._causes[kind] = finding.cause
        if self._run_s < RAISE_S or self._may_be_frozen(self._samples[-1].picture):
            return
        common, count = Counter(self._run).most_common(1)[0]
        if self._condition.state is None:
            self._condition = Condition(common, self._run_since, self._causes[common])
        elif common != self._condition.state and count >= MIN_CHANGE_SHARE * len(self._run):
            self._condition = Condition(common, began, self._causes[common])

    def _may_be_frozen(self, picture: Picture) -> bool:
        """Whether to wait with raising and learning until it is known whether the pictures are frozen."""
        return self._stillness.repeats and shows_something(picture)

    def _forget_views(self, t: int) -> None:
        """Begin the view anew; what is in force stays."""
        self._references.interrupt()
        self._samples.clear()
        self._run.clear()
        self._causes.clear()
        self._run_since, self._run_s = t, 0.0


def _median_picture(pictures: list[Picture]) -> Picture:
    """Pixel by pixel the median, the lower one of an even number: sorted by minima and maxima of whole
    pictures.

    Ten times as fast as a partition along the axis."""
    sorted_part, count = list(pictures), len(pictures)
    for done in range(count - (count - 1) // 2):
        for place in range(count - 1 - done):
            one, other = sorted_part[place], sorted_part[place + 1]
            sorted_part[place], sorted_part[place + 1] = np.minimum(one, other), np.maximum(one, other)
    return np.asarray(sorted_part[(count - 1) // 2], np.uint8)


def _stacked(arrays: list[npt.NDArray[np.generic]], dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
    return np.stack(arrays) if arrays else np.zeros((0,), dtype)


def _kind(name: str) -> Kind | None:
    return next((kind for kind in get_args(Kind) if kind == name), None)
