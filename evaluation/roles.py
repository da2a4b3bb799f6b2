"""How well roles are told at a site after a few labels: some tracks are labelled, the others are told.

Which tracks are labelled is drawn anew many times; the figures are means over the draws, with the range
that the middle 95 % of them lie in. All draws are of the same people in the same footage: the range says
how much depends on whom one labels, not what another site would give.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.formats import Tracks, TruthError
from vision.frames import SECOND, Frame
from vision.roles.assignment import MIN_ROLE_CONFIDENCE
from vision.roles.features import RoleFeatures
from vision.roles.fitting import MIN_TRACKS_PER_CLASS, Labelled, combine_readings, fit
from vision.roles.model import ROLES, RoleClassifier
from vision.roles.reading import clothes_visible
from vision.sources.files import open_source
from zones.facility import Role

Ints = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]
INTERVAL = 2 * SECOND


@dataclass(frozen=True)
class Wearer:
    """A true track: its person (who may come back as another track) and the role of what is worn."""

    track: int
    person: str
    role: Role


@dataclass(frozen=True)
class Read:
    """Crops of true tracks: features (N, D) and the wearer of each, by number."""

    features: npt.NDArray[np.float32]
    owner: Ints


def read_wearers(path: Path) -> list[Wearer]:
    """Read a CSV file with the columns track, person, role.

    Raises:
        TruthError: it cannot be read, or a row is not one.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        found = [Wearer(int(row["track"]), row["person"], Role(row["role"])) for row in rows]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise TruthError(f"{path}: expected a CSV file with track, person and role, got {error!r}") from error
    if (
        not found
        or len({item.track for item in found}) != len(found)
        or any(item.role not in ROLES for item in found)
    ):
        raise TruthError(f"{path}: expected every track once, with a role among {', '.join(ROLES)}")
    return found


def read_crops(
    video: Path,
    true: Tracks,
    wearers: Sequence[Wearer],
    features: RoleFeatures,
    source_fps: float | None,
    progress: Progress = lambda *_: None,
) -> Read:
    """Look at the true boxes of the wearers as often as the pipeline would.

    Raises:
        SourceError: the video cannot be read.
        TruthError: none of the wearers is in it.
    """
    number = {item.track: n for n, item in enumerate(wearers)}
    source = open_source(video, "evaluated", 0, source_fps)
    last = int(true.frame.max())
    rows, owner = [], []
    for item in source.frames(min_interval_us=INTERVAL):
        if not isinstance(item, Frame):
            continue
        here = np.flatnonzero(true.frame == item.index)
        kept = [n for n in here[clothes_visible(true.boxes[here])] if int(true.track[n]) in number]
        if kept:
            rows.append(features.read([(item.image, true.boxes[n]) for n in kept]))
            owner += [number[int(true.track[n])] for n in kept]
        progress(min(item.index, last), last)
    if not rows:
        raise TruthError(f"{video}: expected crops of the tracks in the truth, got none large enough")
    return Read(np.concatenate(rows), np.array(owner, dtype=np.int64))


def measure(
    read: Read,
    wearers: Sequence[Wearer],
    features: RoleFeatures,
    *,
    per_role: int = 20,
    tracks: int = 3,
    draws: int = 200,
    seed: int = 0,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Label `per_role` crops of `tracks` tracks of each role, tell the other tracks; repeat.

    Returns:
        Figures for other tracks, for other tracks of people of whom nothing was labelled, and for tracks of
        a role that was left out of the labels, each: `unknown` (share left unknown), `right` (share of the
        others that are right; None for the role left out, which nobody can get right), `wrong` (share of all
        that were given a wrong role), and how many tracks there were per draw.

    Raises:
        TruthError: a role has no more tracks than are to be labelled.
    """
    roles = [role for role in ROLES if any(item.role is role for item in wearers)]
    have = {role: len({n for n in set(read.owner.tolist()) if wearers[n].role is role}) for role in roles}
    for role, count in have.items():
        if not MIN_TRACKS_PER_CLASS <= tracks < count:
            raise TruthError(
                f"expected to label at least {MIN_TRACKS_PER_CLASS} tracks of each role and fewer than there "
                f"are, got {tracks} of {count} as {role}"
            )
    rng = np.random.default_rng(seed)
    told: dict[str, list[tuple[float, float, float, int]]] = {}
    for draw in range(draws):
        left_out = roles[draw % len(roles)]
        for known, others in ((roles, False), ([role for role in roles if role is not left_out], True)):
            if len(known) < 2:
                continue
            chosen = _label(read, wearers, known, per_role, tracks, rng)
            model = RoleClassifier(_fit(read, wearers, known, chosen, features))
            for name, asked in _asked(read, wearers, known, chosen, others).items():
                if asked.any():
                    told.setdefault(name, []).append(_tell(model, read, wearers, known, asked))
        progress(draw + 1, draws)
    return {name: _summary(rows) for name, rows in told.items()}


def _label(
    read: Read,
    wearers: Sequence[Wearer],
    known: Sequence[Role],
    per_role: int,
    tracks: int,
    rng: np.random.Generator,
) -> Ints:
    """Crops to label: of each role, in turn one of each of a few tracks, as many as there are."""
    chosen: list[int] = []
    for role in known:
        of_role = [n for n in np.unique(read.owner).tolist() if wearers[n].role is role]
        piles = [
            rng.permutation(np.flatnonzero(read.owner == n)).tolist()
            for n in rng.permutation(of_role)[:tracks].tolist()
        ]
        longest = max(len(pile) for pile in piles)
        chosen += [pile[turn] for turn in range(longest) for pile in piles if turn < len(pile)][:per_role]
    return np.array(chosen, dtype=np.int64)


def _fit(
    read: Read, wearers: Sequence[Wearer], known: Sequence[Role], chosen: Ints, features: RoleFeatures
) -> Any:
    owner = read.owner[chosen].tolist()
    labelled = Labelled(
        read.features[chosen],
        np.array([known.index(wearers[n].role) for n in owner]),
        [str(n) for n in owner],
    )
    classes = [(role,) for role in known]
    return fit(labelled, classes, features.identity, facility=None, made="-")


def _asked(
    read: Read, wearers: Sequence[Wearer], known: Sequence[Role], chosen: Ints, left_out: bool
) -> dict[str, npt.NDArray[np.bool_]]:
    """Crops (N,) to tell, by question."""
    if left_out:
        return {"a role that was not labelled": np.array([wearers[n].role not in known for n in read.owner])}
    used = set(read.owner[chosen].tolist())
    people = {wearers[n].person for n in used}
    return {
        "other tracks": np.array([n not in used for n in read.owner.tolist()]),
        "other people": np.array([wearers[n].person not in people for n in read.owner.tolist()]),
    }


def _tell(
    model: RoleClassifier,
    read: Read,
    wearers: Sequence[Wearer],
    known: Sequence[Role],
    asked: npt.NDArray[np.bool_],
) -> tuple[float, float, float, int]:
    """Shares unknown, right of those told (NaN if none), and wrong; and how many tracks."""
    owners = read.owner[asked].astype(str)
    names = np.unique(owners)
    best, confidence = combine_readings(model.classes(read.features[asked]), owners, names)
    sure = confidence >= MIN_ROLE_CONFIDENCE
    right = np.array([known[k] is wearers[int(n)].role for k, n in zip(best.tolist(), names, strict=True)])
    told = float(right[sure].mean()) if sure.any() else float("nan")
    return float(1 - sure.mean()), told, float((sure & ~right).mean()), len(names)


def _summary(rows: Sequence[tuple[float, float, float, int]]) -> dict[str, Any]:
    table = np.array(rows, dtype=np.float64)
    figures: dict[str, Any] = {"draws": len(rows), "tracks": round(float(table[:, 3].mean()), 1)}
    for column, name in enumerate(("unknown", "right", "wrong")):
        values = table[:, column][~np.isnan(table[:, column])]
        if not len(values):
            figures[name] = None
            continue
        low, high = np.quantile(values, [0.025, 0.975])
        figures[name] = {
            "mean": round(float(values.mean()), 3),
            "range": [round(float(low), 3), round(float(high), 3)],
        }
    return figures
