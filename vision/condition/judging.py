"""What is wrong with a view: nothing, dark, covered, blurred or moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vision.condition.comparing import Comparison, Shift
from vision.condition.references import MIN_COMPARABLE
from vision.condition.view import DARK_LUMA, MIN_SPREAD, Edges, Picture, visible_range

Kind = Literal["frozen", "covered", "dark", "blurred", "moved"]


@dataclass(frozen=True)
class ConditionSettings:
    """What counts as impaired; how it was chosen is said in docs/camera-condition.md.

    Attributes:
        min_in_place: share of the windows with edges of which more must be in place; else the lens may be
            covered.
        covered_share: share of them that must be hidden for the lens to be covered.
        lost_share: at most this share in place, and little hidden, is another view.
        min_sharpness: share of the fine detail, relative to coarser contrast, below which a view is blurred.
        min_layout: a view that lost its edges is blurred, not covered, where its coarse brightness has this
            correlation with the expected one;
        min_veil: and keeps this share of its contrast.
        max_move_share: mean distance by which the view may move, in longer sides of the picture.
    """

    min_in_place: float = 0.5
    covered_share: float = 0.4
    lost_share: float = 0.15
    min_sharpness: float = 0.4
    min_layout: float = 0.7
    min_veil: float = 0.5
    max_move_share: float = 0.015


DEFAULT_SETTINGS = ConditionSettings()
"""The settings of every camera. Project default (docs/defaults.md)."""


@dataclass(frozen=True)
class Finding:
    """What one view shows: the kind of impairment, None for none, and the cause in half a sentence."""

    kind: Kind | None
    cause: str = ""


GOOD = Finding(None)
"""Nothing impairs the view."""


def shows_something(picture: Picture) -> bool:
    """Whether the luma is not one even surface."""
    low, high = visible_range(picture)
    return high - low >= MIN_SPREAD


def judge(
    view: Picture, edges: Edges, comparison: Comparison | None, confirmed: bool, settings: ConditionSettings
) -> Finding:
    """Judge a view, and its comparison with the expected one where there is one.

    `confirmed`: an engineer said that the camera sees what it should, so a view without edges may be right.
    """
    low, high = visible_range(view)
    if high - low < MIN_SPREAD and high <= DARK_LUMA:
        return Finding(
            "dark", f"no light, or an opaque cover: 98 % of the picture has a luma below {high + 1:.0f}"
        )
    if comparison is None:
        # Without an expected view only that can be told in which there is nothing at all.
        return (
            GOOD
            if confirmed or edges.comparable.any()
            else Finding("covered", f"an even surface of luma {high:.0f}")
        )
    if comparison.comparable < MIN_COMPARABLE:
        return GOOD
    moved = comparison.shift
    if moved is not None and moved.mean_px > settings.max_move_share * max(view.shape):
        return Finding("moved", f"the view {_motion(moved, view)}")
    if comparison.in_place <= settings.min_in_place and comparison.hidden >= settings.covered_share:
        kept = f"{comparison.in_place:.0%} of the view is where it was"
        soft = comparison.sharpness < settings.min_sharpness and comparison.layout >= settings.min_layout
        if soft and comparison.veil >= settings.min_veil:
            return Finding("blurred", f"no detail in {comparison.hidden:.0%} of the view, {kept}")
        return Finding("covered", f"{comparison.hidden:.0%} of the view is hidden, {kept}")
    if comparison.in_place <= settings.lost_share and moved is None:
        return Finding(
            "moved", f"another view: {comparison.in_place:.0%} of the expected one is where it was"
        )
    if comparison.in_place >= settings.min_in_place and comparison.sharpness < settings.min_sharpness:
        return Finding("blurred", f"{comparison.sharpness:.0%} of the fine detail is left")
    return GOOD


def _motion(shift: Shift, view: Picture) -> str:
    """How a view moved, in words."""
    height, width = view.shape
    x, y = shift.x / width, shift.y / height
    parts = []
    if abs(shift.x) >= 1:
        parts.append(f"{abs(x):.0%} to the {'right' if x > 0 else 'left'}")
    if abs(shift.y) >= 1:
        parts.append(f"{abs(y):.0%} {'down' if y > 0 else 'up'}")
    moved = [f"moved {' and '.join(parts)}"] if parts else []
    if abs(degrees := float(np.degrees(shift.turn))) >= 1:
        moved.append(f"turned by {abs(degrees):.0f} degrees")
    if abs(shift.zoom) >= 0.02:
        moved.append(f"{'grew' if shift.zoom > 0 else 'shrank'} by {abs(shift.zoom):.0%}")
    return ", ".join(moved) or f"moved by {shift.mean_px:.0f} px of {width}"
