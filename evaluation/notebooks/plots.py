"""Plots of the notebooks: over a picture of the camera, over time, and of shares with their intervals.

The colours are those of Okabe and Ito (2008), which can be distinguished with any colour vision. What a
colour means is also shown by a label, a hatch or a marker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import matplotlib.dates as mdates
import numpy as np
import numpy.typing as npt
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.patches import Polygon
from matplotlib.ticker import MaxNLocator, NullLocator

from evaluation.notebooks.context import NotebookContext
from evaluation.notebooks.measures import rule_name
from incidents.comparison import Comparison
from incidents.intervals import exact_share
from pipelines.suggestion.proposal import Suggestion
from vision.frames import SECOND
from zones.calibration import Calibration
from zones.calibration.survey import ACCEPTED_SE_M, Survey
from zones.facility import Facility, Line, Zone

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, RED, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
HEAT = "viridis"
_HALO = (patheffects.withStroke(linewidth=2.5, foreground="black"),)


@dataclass(frozen=True)
class Bar:
    """An interval of time, microseconds UTC, in a timeline."""

    start: int
    end: int
    colour: str
    marker: str = "|"


def show_picture(axes: Axes, context: NotebookContext, title: str) -> None:
    """Show the camera's picture with axes in shares of the frame, as in zones."""
    axes.imshow(context.picture, extent=(0, 1, 1, 0), aspect=context.size[1] / context.size[0])
    axes.set(
        xlim=(0, 1), ylim=(1, 0), title=title, xlabel="x, share of the width", ylabel="y, share of the height"
    )


def draw_parts(
    axes: Axes, parts: Sequence[Zone | Line], colour: str = YELLOW, style: str = "-", label: str | None = None
) -> None:
    """Draw zones and lines with their names; an arrow shows the direction of a line."""
    for number, part in enumerate(parts):
        legend = label if number == 0 else None
        if isinstance(part, Zone):
            axes.add_patch(
                Polygon(part.polygon, closed=True, fill=False, edgecolor=colour, lw=2, ls=style, label=legend)
            )
            x, y = np.mean(part.polygon, axis=0)
        else:
            start, end = part.points
            arrow = {"arrowstyle": "->", "color": colour, "lw": 2, "ls": style}
            axes.annotate("", end, start, arrowprops=arrow)
            axes.plot([], [], color=colour, ls=style, lw=2, label=legend)
            x, y = np.mean(part.points, axis=0)
        axes.text(
            *(min(max(x, 0.09), 0.91), y, f"{part.name or part.id}\n{part.type}"),
            color="white",
            fontsize=9,
            ha="center",
            va="center",
            path_effects=_HALO,
            clip_on=True,
        )


def draw_heat(axes: Axes, suggestion: Suggestion, cells: int = 64) -> None:
    """Draw person-seconds by cell of the picture, with a scale; cells without people are transparent."""
    samples, seconds = suggestion.trajectories.samples, suggestion.trajectories.duration_s
    rows = round(cells / suggestion.trajectories.ground.aspect)
    x, y = samples.foot.T
    frame = ((0.0, 1.0), (0.0, 1.0))
    total, _, _ = np.histogram2d(y, x, bins=(rows, cells), range=frame, weights=seconds)
    shown = np.ma.masked_less_equal(total, 0)
    image = axes.imshow(
        shown,
        extent=(0, 1, 1, 0),
        aspect=axes.get_aspect(),
        norm=LogNorm(vmin=max(float(shown.min()), 0.1), vmax=max(float(shown.max()), 1.0)),
        cmap=HEAT,
        alpha=0.75,
    )
    axes.figure.colorbar(image, ax=axes, label="person-seconds in a cell (logarithmic)", shrink=0.8)


def draw_dwells(axes: Axes, suggestion: Suggestion) -> None:
    """Draw the number of alarms that count as false by dwell, for each zone; markers show the suggestion."""
    colours = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK)
    markers = "osD^vPX"
    for number, dwell in enumerate(suggestion.dwells):
        colour, marker = colours[number % len(colours)], markers[number % len(markers)]
        against = [trial.counted_false for trial in dwell.trials]
        seconds = [trial.dwell_s for trial in dwell.trials]
        axes.step(seconds, against, where="post", color=colour, lw=2)
        chosen = dwell.chosen or dwell.now
        # Shifted a little, or the markers of zones without alarms would hide one another.
        axes.plot(
            *([chosen.dwell_s * 1.03**number], [chosen.counted_false], marker),
            ms=9,
            mec="black",
            color=colour if dwell.chosen else "white",
            label=dwell.zone,
        )
        axes.axvline(dwell.now.dwell_s, color="0.6", lw=1, ls=":")
    days = suggestion.trajectories.watched_hours / 24
    axes.axhline(suggestion.rate * days, color=BLACK, lw=1, ls="--")
    axes.set(
        xscale="log",
        xlabel="dwell, s (dotted: now; marker: suggested)",
        ylabel="alarms counted as false",
        title=f"Alarms by dwell, {suggestion.trajectories.watched_hours:.3g} h watched "
        f"(dashed: {suggestion.rate:g} per camera-day)",
    )
    axes.set_ylim(bottom=-0.2)
    axes.set_xticks([0.5, 1, 2, 5, 10, 20, 60, 120])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(title="zone")


def draw_timeline(
    axes: Axes, rows: Mapping[str, Sequence[Bar]], facility: Facility, title: str, window: tuple[int, int]
) -> None:
    """Draw intervals of time, a row for each name, each with a marker so that short ones are visible.

    Times are in the facility's time zone; the window (microseconds UTC) fills the axis.
    """
    for number, bars in enumerate(rows.values()):
        for bar in bars:
            span = [_moment(bar.start, facility), _moment(bar.end, facility)]
            axes.plot(span, [number, number], color=bar.colour, lw=7, solid_capstyle="butt")
            axes.plot(span[:1], [number], bar.marker, ms=11, mew=1, mec="black", color=bar.colour)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set(title=title, xlabel=f"time, {facility.timezone}", ylim=(max(len(rows), 1) - 0.5, -0.5))
    axes.set_xlim(*(_moment(t, facility) for t in window))
    locator = mdates.AutoDateLocator(tz=facility.tz)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz=facility.tz))  # type: ignore[no-untyped-call]
    axes.grid(axis="x", color="0.9")


def _moment(t: int, facility: Facility) -> float:
    """A time, microseconds UTC, as days of matplotlib."""
    return float(mdates.date2num(datetime.fromtimestamp(t / SECOND, facility.tz)))  # type: ignore[no-untyped-call]


def draw_shares(
    axes: Axes, shares: Mapping[str, tuple[int, int]], title: str, unit: str, colour: str = BLUE
) -> None:
    """Draw shares (part, whole) by name, with exact 95 % intervals and their counts."""
    for number, (part, whole) in enumerate(shares.values()):
        low, high = exact_share(part, whole)
        axes.plot([low, high], [number, number], color=colour, lw=2, ls="-" if whole else ":")
        if whole:
            axes.plot(part / whole, number, "o", color=colour, ms=8, mec="black", clip_on=False, zorder=5)
        counts = f"{part} of {whole}" if whole else "nothing decided"
        axes.text(1.03, number, counts, va="center", transform=axes.get_yaxis_transform())
    axes.set_yticks(range(len(shares)), list(shares))
    axes.set(xlim=(0, 1), ylim=(max(len(shares), 1) - 0.5, -0.5), title=title, xlabel=unit)
    axes.grid(axis="x", color="0.9")


def draw_metres(axes: Axes, plane: Calibration, step: float = 2.0, colour: str = SKY) -> None:
    """Draw a grid of the ground, a line each `step` m, labelled where it leaves the picture."""
    view = np.stack(np.meshgrid(np.linspace(0, 1, 60), np.linspace(0, 1, 60)), axis=-1).reshape(-1, 2)
    ground = plane.ground(view)
    m_per_height = np.abs(plane.ground(view + np.array([0, 1e-3])) - ground).max(axis=1) * 1000
    # Lines near the horizon, where a step is less than 2 % of the picture's height, are left out.
    near = ground[np.isfinite(ground).all(axis=1) & (m_per_height * 0.02 < step)]
    if not len(near):
        return
    labels: list[tuple[float, float]] = []
    low, high = np.floor(near.min(axis=0) / step), np.ceil(near.max(axis=0) / step)
    for axis in (0, 1):
        for number in np.arange(low[axis], high[axis] + 1):
            along = np.linspace(low[1 - axis] * step, high[1 - axis] * step, 400)
            points = np.column_stack([np.full(len(along), number * step), along])
            drawn = plane.image(points if axis == 0 else points[:, ::-1])
            inside = np.isfinite(drawn).all(axis=1) & (drawn >= 0).all(axis=1) & (drawn <= 1).all(axis=1)
            if inside.sum() < 2:
                continue
            drawn[~inside] = np.nan
            axes.plot(*drawn.T, color=colour, lw=0.8, alpha=0.9)
            x, y = (float(value) for value in drawn[inside][-1])
            if any(abs(x - a) < 0.06 and abs(y - b) < 0.035 for a, b in labels):
                continue
            labels.append((x, y))
            axes.text(
                *(x, y, f"{'xy'[axis]}={number * step:g}"),
                color=colour,
                fontsize=7,
                path_effects=_HALO,
                clip_on=True,
            )


def draw_errors(axes: Axes, survey: Survey) -> None:
    """Draw the standard error of a distance of 2 m; the thick line is at ACCEPTED_SE_M."""
    levels = np.array([0.5, 1.0, 2.0]) * ACCEPTED_SE_M
    image = axes.imshow(
        np.ma.masked_invalid(survey.distance_se),
        extent=(0, 1, 1, 0),
        aspect=axes.get_aspect(),
        cmap="cividis",
        vmin=0,
        vmax=float(levels[-1]),
        alpha=0.65,
    )
    axes.figure.colorbar(
        image, ax=axes, label="standard error of a distance of 2 m, m", shrink=0.8, extend="max"
    )
    x, y = survey.centres[0, :, 0], survey.centres[:, 0, 1]
    filled = np.nan_to_num(survey.distance_se, nan=99.0)
    drawn = axes.contour(x, y, filled, levels=levels, colors="white", linewidths=(1, 2.5, 1))
    axes.clabel(drawn, fmt="%.2g m", fontsize=8)


def draw_misses(
    axes: Axes, marked: npt.NDArray[np.float64], placed: npt.NDArray[np.float64], colour: str, label: str
) -> None:
    """Draw marks (N, 2), normalised, joined with where the calibration places them."""
    axes.add_collection(LineCollection([*np.stack([marked, placed], axis=1)], colors=colour, linewidths=2))
    axes.plot(*marked.T, "+", color=colour, ms=11, mew=2, label=label)
    axes.plot(*placed.T, ".", color=colour, ms=5)


def draw_comparison(axes: Axes, comparison: Comparison) -> None:
    """Draw the number of events of each rule and zone that both files raise, and that only one raises."""
    groups = (
        ("raised by both, alike", comparison.same, "0.8", ""),
        ("by both, not alike", comparison.changed, SKY, "..."),
        ("by the new file alone", comparison.gained, BLUE, "///"),
        ("by the old file alone", comparison.lost, ORANGE, "xxx"),
    )
    names = sorted({rule_name(c.incident.kind, c.incident.zone) for _, group, _, _ in groups for c in group})
    left = np.zeros(len(names))
    for label, group, colour, hatch in groups:
        counts = np.array(
            [sum(rule_name(c.incident.kind, c.incident.zone) == n for c in group) for n in names]
        )
        axes.barh(names, counts, left=left, color=colour, hatch=hatch, edgecolor="black", label=label)
        left = left + counts
    axes.set(title="What the new file would change", xlabel="events in the log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.invert_yaxis()
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1))


def draw_scores(axes: Axes, groups: Mapping[str, Sequence[float]], xlabel: str, title: str) -> None:
    """Draw scores 0..1, a row of markers for each group, with the quartiles and median of the group."""
    styles = ((RED, "o"), (BLUE, "s"), (GREEN, "^"), ("0.6", "D"))
    rng = np.random.default_rng(0)
    for number, (name, values) in enumerate(groups.items()):
        colour, marker = styles[number % len(styles)]
        at = number + rng.uniform(-0.18, 0.18, len(values))
        axes.plot(values, at, marker, color=colour, ms=7, alpha=0.8, mec="black", label=name)
        if len(values) >= 4:
            low, middle, high = np.percentile(values, [25, 50, 75])
            axes.plot([low, high], [number, number], color="black", lw=2)
            axes.plot(middle, number, "|", color="black", ms=18, mew=2)
    labels = [f"{name} ({len(values)})" for name, values in groups.items()]
    axes.set_yticks(range(len(groups)), labels)
    axes.set(xlim=(-0.02, 1.02), ylim=(max(len(groups), 1) - 0.5, -0.5), xlabel=xlabel, title=title)
    axes.grid(axis="x", color="0.9")


def explain_marks(axes: Axes, marks: Mapping[str, tuple[str, str]]) -> None:
    """Add a legend of markers, name -> (marker, colour), beside the plot."""
    for name, (marker, colour) in marks.items():
        axes.plot([], [], marker, color=colour, mec="black", ms=9, label=name)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1))


def draw_agreement(
    axes: Axes,
    one: npt.NDArray[np.float64],
    other: npt.NDArray[np.float64],
    xlabel: str,
    ylabel: str,
    title: str,
) -> None:
    """Draw two measures of the same distances against each other, with their mean difference."""
    axes.plot(one, other, ".", color=BLUE, ms=4, alpha=0.4)
    most = float(max(one.max(initial=1.0), other.max(initial=1.0)))
    axes.plot([0, most], [0, most], color=BLACK, lw=1, ls="--", label="the same")
    apart = (
        f"mean difference {np.abs(one - other).mean():.2f} m, {len(one)} pairs" if len(one) else "no pairs"
    )
    axes.set(xlabel=xlabel, ylabel=ylabel, title=f"{title}\n{apart}", xlim=(0, most), ylim=(0, most))
    axes.set_aspect("equal")
    axes.legend()
