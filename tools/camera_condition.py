"""Alter real footage by known amounts and tell what is raised of the camera, and after how long.

    python tools/camera_condition.py [--hours 1] CLIP ...

prints the tables of docs/camera-condition.md. A clip is played forward and backward, so that no seam shows,
at 5 pictures/s, faster than real time; every picture gets noise of its own.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from altered_footage import (  # noqa: E402
    ALTERATIONS,
    RATE,
    UNALTERED,
    Alter,
    Alteration,
    Clip,
    Picture,
    banner,
    encoded,
    noisy,
    nothing,
    reduce,
    watched,
)

from vision.condition.monitor import Condition, ConditionMonitor  # noqa: E402
from vision.frames import SECOND  # noqa: E402

START = 1_760_000_000 * SECOND
LENGTHS = (120, 180, 120)
"""Seconds before, while and after footage is altered."""


def play(
    clip: Clip, alter: Alter, first: int, seconds: float, sigma: float, seed: int
) -> Iterator[tuple[int, Picture]]:
    """Times and reduced pictures of the clip, altered; `first` is the number of the first picture."""
    rng = np.random.default_rng(seed)
    for number in range(first, first + round(seconds * RATE)):
        altered = alter(clip.at(number), (number - first) / RATE, rng)
        reduced = reduce(np.clip(altered, 0, 255).astype(np.uint8))
        yield START + number * SECOND // RATE, noisy(reduced, sigma, rng)


@dataclass(frozen=True)
class Told:
    """What was told of one alteration, in seconds after it began or ended; None: not.

    `since_s` is the moment from which it was said to be in force, after it began.
    """

    state: str | None
    raised_s: float | None
    ended_s: float | None
    since_s: float | None
    others: tuple[str, ...]
    cause: str


def told(
    conditions: list[tuple[int, Condition]], states: tuple[str, ...], lengths: tuple[int, int, int]
) -> Told:
    """Sum up what was in force at each time."""
    begin = START + lengths[0] * SECOND
    end = begin + lengths[1] * SECOND
    raised = next(((t, c) for t, c in conditions if t >= begin and c.state in states), None)
    ended = next((t for t, c in conditions if t >= end and c.state is None), None)
    others = tuple(sorted({c.state for _, c in conditions if c.state and c.state not in states}))
    if raised is None:
        return Told(None, None, None, None, others, "")
    t, condition = raised
    return Told(
        condition.state,
        (t - begin) / SECOND,
        None if ended is None else (ended - end) / SECOND,
        (condition.since - begin) / SECOND,
        others,
        condition.cause,
    )


def alter_and_tell(
    clip: Clip, alteration: Alteration, sigma: float = 1.0, lengths: tuple[int, int, int] = LENGTHS
) -> Told:
    """Play the clip as it is, altered, and as it is again."""
    monitor, conditions, first = ConditionMonitor(), [], 0
    for seed, (alter, seconds) in enumerate(zip((nothing, alteration.alter, nothing), lengths, strict=True)):
        for t, picture in play(clip, alter, first, seconds, sigma, seed):
            conditions.append((t, monitor.update(t, picture)))
        first += seconds * RATE
    return told(conditions, alteration.states, lengths)


def hold_and_tell(
    clip: Clip, stills: list[Picture], sigma: float = 1.0, lengths: tuple[int, int, int] = LENGTHS
) -> Told:
    """Play the clip, then pictures that are held (the last of `stills` to the end), then the clip again."""
    monitor, conditions = ConditionMonitor(), []
    before, altered, after = lengths
    for t, picture in play(clip, nothing, 0, before, sigma, 0):
        conditions.append((t, monitor.update(t, picture)))
    reduced = [reduce(still) for still in stills]
    for number in range(altered * RATE):
        t = START + before * SECOND + number * SECOND // RATE
        conditions.append((t, monitor.update(t, reduced[min(number, len(reduced) - 1)])))
    for t, picture in play(clip, nothing, (before + altered) * RATE, after, sigma, 1):
        conditions.append((t, monitor.update(t, picture)))
    return told(conditions, ("frozen",), lengths)


def held(clip: Clip, seconds: int = LENGTHS[1]) -> dict[str, Callable[[], list[Picture]]]:
    """Stills that a recorder or a stuck camera sends for some seconds, by name, made when called."""
    last = watched(clip.at(0))
    stills, banners = [last] * (seconds * RATE), [banner(last.shape)] * (seconds * RATE)
    return {
        "the same picture, bit for bit": lambda: [last],
        "the same picture, encoded again (CRF 23)": lambda: encoded(stills, {"crf": "23"}),
        "the same picture, encoded again (CRF 30)": lambda: encoded(stills, {"crf": "30"}),
        "a recorder's banner, encoded again (CRF 23)": lambda: encoded(banners, {"crf": "23"}),
    }


def false_alarms(
    clip: Clip, alteration: Alteration, hours: float, sigma: float = 1.0
) -> tuple[list[str], float]:
    """Conditions raised in footage that is right, and milliseconds per update.

    The alteration is switched on and off every 5 minutes; every fifth picture is dropped, and a gap of 12 s
    comes every 10 minutes."""
    monitor, raised, spent, updates = ConditionMonitor(), [], 0.0, 0
    rng = np.random.default_rng(5)
    state, block = None, 300
    for number in range(round(hours * 3600 / block)):
        alter = alteration.alter if number % 2 else nothing
        for t, picture in play(clip, alter, number * block * RATE, block, sigma, number):
            in_gap = number % 2 == 1 and 100 <= (t - START) / SECOND % block < 112
            if in_gap or rng.random() < 0.2:
                continue
            began = time.thread_time()
            condition = monitor.update(t, picture)
            spent, updates = spent + time.thread_time() - began, updates + 1
            if condition.state != state and condition.state:
                raised.append(f"{condition.state}: {condition.cause}")
            state = condition.state
    return raised, spent / max(1, updates) * 1000


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "clips", nargs="*", type=Path, default=[ROOT / "data/yard.mp4", ROOT / "data/built/lobby.mp4"]
    )
    parser.add_argument(
        "--hours", type=float, default=1.0, help="of each clip and change of light, for false alarms"
    )
    arguments = parser.parse_args()
    clips = [Clip(path) for path in arguments.clips]
    rows: dict[str, list[tuple[str, Told]]] = {}
    for clip in clips:
        for name, stills in held(clip).items():
            rows.setdefault(name, []).append((clip.name, hold_and_tell(clip, stills())))
        for alteration in ALTERATIONS:
            rows.setdefault(alteration.name, []).append((clip.name, alter_and_tell(clip, alteration)))
    print(
        "| done to the footage | raised in | as | raised after, s | ended after, s | also raised |\n"
        "|---|---|---|---|---|---|"
    )
    for name, tolds in rows.items():
        hits = [t for _, t in tolds if t.state]
        states = ", ".join(sorted({t.state for t in hits if t.state})) or "-"
        missing = ", ".join(clip for clip, t in tolds if not t.state)
        others = ", ".join(sorted({f"{o} ({clip})" for clip, t in tolds for o in t.others})) or "-"
        print(
            f"| {name} | {len(hits)} of {len(tolds)}{f' (not {missing})' if missing else ''} | {states} "
            f"| {_span([t.raised_s for t in hits])} | {_span([t.ended_s for t in hits])} | {others} |",
            flush=True,
        )
    print(
        "\n| change that is none of the camera | hours | false alarms per hour | ms per update |\n"
        "|---|---|---|---|"
    )
    for alteration in UNALTERED:
        results = [(clip.name, *false_alarms(clip, alteration, arguments.hours)) for clip in clips]
        hours, alarms = (
            arguments.hours * len(clips),
            [f"{name}: {a}" for name, raised, _ in results for a in raised],
        )
        cost = max(ms for _, _, ms in results)
        print(f"| {alteration.name} | {hours:g} | {len(alarms) / hours:.2g} | {cost:.2f} |", flush=True)
        for alarm in alarms:
            print(f"  {alarm}", file=sys.stderr, flush=True)


def _span(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    open_ended = "" if len(known) == len(values) else ", not ended"
    return (f"{min(known):.0f} - {max(known):.0f}" if known else "-") + open_ended


if __name__ == "__main__":
    main()
