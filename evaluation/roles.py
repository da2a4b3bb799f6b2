"""How well roles are recognised after a few labels: some tracks of a video are labelled, others classified.

Which tracks are labelled is chosen at random many times. The estimates are means over these repeats, with the
range of the middle 95 % of them. All repeats are of the same people in the same footage: the range shows how
much depends on which tracks are labelled, not what another facility would give.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from evaluation.bootstrap import SEED
from evaluation.formats import Tracks, TruthError, read_mot
from evaluation.setup import Progress, ProgressBars, no_progress
from models.devices import Device
from models.registry import resolve
from vision.appearance import AppearanceReader
from vision.frames import SECOND, Frame
from vision.roles.assignment import MIN_ROLE_CONFIDENCE
from vision.roles.features import RoleFeatures
from vision.roles.fitting import MIN_TRACKS_PER_CLASS, Labelled, combine_readings, fit
from vision.roles.model import ROLES, RoleClassifier
from vision.roles.reading import clothes_visible
from vision.sources.files import open_source
from zones.facility import Role

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

CROP_INTERVAL_US = 2 * SECOND
"""Time between crops of a track: that of the pipeline."""
LABELLED_CROPS = 20
"""Crops labelled of each role. Project default (docs/defaults.md)."""
LABELLED_TRACKS = 3
"""Tracks of each role that the labelled crops are of. Project default (docs/defaults.md)."""
REPEATS = 200
"""Random choices of the labelled tracks. Project default (docs/defaults.md)."""


@dataclass(frozen=True)
class TrackRole:
    """A true track, the person it is of, and the role of that person's clothes.

    Several tracks may be of one person.
    """

    track: int
    person: str
    role: Role


@dataclass(frozen=True)
class TrackCrops:
    """Crops of true tracks, N of them.

    Attributes:
        features: (N, D) role features.
        owner: (N,) index of the track of each crop in the list of `TrackRole`.
    """

    features: npt.NDArray[np.float32]
    owner: Ints


class MeanAndRange(TypedDict):
    """Mean over the repeats, and the range of the middle 95 % of them."""

    mean: float
    range: tuple[float, float]


class RoleAccuracy(TypedDict):
    """Accuracy for one group of tracks; None where it is undefined in every repeat.

    Attributes:
        repeats: repeats with such tracks; tracks: tracks per repeat, on average.
        unknown: share of the tracks left unknown.
        correct: share of the others with the correct role.
        wrong: share of all that got a wrong role.
    """

    repeats: int
    tracks: float
    unknown: MeanAndRange | None
    correct: MeanAndRange | None
    wrong: MeanAndRange | None


@dataclass(frozen=True)
class RolesRequest:
    """An evaluation of role recognition.

    Attributes:
        video: the video.
        truth: its true tracks in MOT text.
        track_roles: CSV file of the roles, see `read_track_roles`.
        appearance: appearance weights.
        device: auto, cpu, cuda or cuda:N.
        source_fps: frame rate of the video where the file's own is wrong.
        crops, tracks: labelled of each role, see `role_accuracy`.
        repeats, seed: of the random choice.
    """

    video: Path
    truth: Path
    track_roles: Path
    appearance: str = "appearance"
    device: str = "auto"
    source_fps: float | None = None
    crops: int = LABELLED_CROPS
    tracks: int = LABELLED_TRACKS
    repeats: int = REPEATS
    seed: int = SEED


@dataclass(frozen=True)
class RolesEvaluation:
    """The result of a `RolesRequest`.

    Attributes:
        crops: crops in the video.
        appearance: digest of the appearance weights.
        accuracy: by group of tracks, see `role_accuracy`.
    """

    crops: int
    appearance: str
    accuracy: dict[str, RoleAccuracy]


def evaluate_roles(request: RolesRequest, progress_bars: ProgressBars = no_progress) -> RolesEvaluation:
    """Cut crops of the true tracks of a video, and measure how well roles are recognised after a few labels.

    Raises:
        TruthError: the truth cannot be read, or a role has too few tracks.
        SourceError: the video cannot be read.
        ModelError: the weights or the device are not available.
    """
    track_roles, truth = read_track_roles(request.track_roles), read_mot(request.truth)
    features = RoleFeatures(AppearanceReader(resolve(request.appearance), Device.choose(request.device)))
    with progress_bars("video") as progress:
        crops = read_crops(request.video, truth, track_roles, features, request.source_fps, progress)
    with progress_bars("repeats") as progress:
        accuracy = role_accuracy(
            *(crops, track_roles, features),
            crops_per_role=request.crops,
            tracks_per_role=request.tracks,
            repeats=request.repeats,
            seed=request.seed,
            progress=progress,
        )
    return RolesEvaluation(len(crops.owner), features.identity.appearance, accuracy)


def read_track_roles(path: Path) -> list[TrackRole]:
    """Read a CSV file with the columns track, person, role.

    Raises:
        TruthError: the file cannot be read, names a track twice, or a row has no known role.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        found = [TrackRole(int(row["track"]), row["person"], Role(row["role"])) for row in rows]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise TruthError(f"{path}: expected a CSV file with track, person and role, got {error!r}") from error
    if not found:
        raise TruthError(f"{path}: expected rows with track, person and role, got none")
    if bad := next((item for item in found if item.role not in ROLES), None):
        raise TruthError(f"{path}: expected roles among {', '.join(ROLES)}, got {bad.role}")
    tracks = [item.track for item in found]
    if twice := next((track for n, track in enumerate(tracks) if track in tracks[:n]), None):
        raise TruthError(f"{path}: expected every track once, got {twice} twice")
    return found


def read_crops(
    video: Path,
    truth: Tracks,
    track_roles: Sequence[TrackRole],
    features: RoleFeatures,
    source_fps: float | None,
    progress: Progress = lambda *_: None,
) -> TrackCrops:
    """Cut crops of the true tracks as often as the pipeline would; `progress` counts frames.

    Raises:
        SourceError: the video cannot be read.
        TruthError: no crop of these tracks is large enough.
    """
    number = {item.track: n for n, item in enumerate(track_roles)}
    source = open_source(video, "evaluated", 0, source_fps)
    last = int(truth.frame.max())
    rows: list[npt.NDArray[np.float32]] = []
    owner: list[int] = []
    for item in source.frames(min_interval_us=CROP_INTERVAL_US):
        if not isinstance(item, Frame):
            continue
        in_frame = np.flatnonzero(truth.frame == item.index)
        kept = [n for n in in_frame[clothes_visible(truth.boxes[in_frame])] if int(truth.track[n]) in number]
        if kept:
            rows.append(features.read([(item.image, truth.boxes[n]) for n in kept]))
            owner += [number[int(truth.track[n])] for n in kept]
        progress(min(item.index, last), last)
    if not rows:
        raise TruthError(f"{video}: expected crops of the tracks in the truth, got none large enough")
    return TrackCrops(np.concatenate(rows), np.array(owner, dtype=np.int64))


def role_accuracy(
    crops: TrackCrops,
    track_roles: Sequence[TrackRole],
    features: RoleFeatures,
    *,
    crops_per_role: int = LABELLED_CROPS,
    tracks_per_role: int = LABELLED_TRACKS,
    repeats: int = REPEATS,
    seed: int = SEED,
    progress: Progress = lambda *_: None,
) -> dict[str, RoleAccuracy]:
    """Label some crops of some tracks of each role, classify the other tracks; repeat.

    Returns:
        Accuracy for three groups: other tracks; other tracks of people of whom nothing was labelled; and
        tracks of a role that was left out of the labels, whose `correct` is None or 0.

    Raises:
        TruthError: a role has no more tracks than are to be labelled.
    """
    roles = [role for role in ROLES if any(item.role is role for item in track_roles)]
    tracks = {
        role: len({n for n in set(crops.owner.tolist()) if track_roles[n].role is role}) for role in roles
    }
    for role, count in tracks.items():
        if not MIN_TRACKS_PER_CLASS <= tracks_per_role < count:
            raise TruthError(
                f"expected to label at least {MIN_TRACKS_PER_CLASS} tracks of each role and fewer than there "
                f"are, got {tracks_per_role} of {count} as {role}"
            )
    rng = np.random.default_rng(seed)
    results: dict[str, list[tuple[float, float, float, int]]] = {}
    for repeat in range(repeats):
        left_out = roles[repeat % len(roles)]
        for known, without_role in (
            (roles, False),
            ([role for role in roles if role is not left_out], True),
        ):
            if len(known) < 2:
                continue
            chosen = _choose_crops(crops, track_roles, known, crops_per_role, tracks_per_role, rng)
            model = _fit(crops, track_roles, known, chosen, features)
            for name, asked in _groups(crops, track_roles, known, chosen, without_role).items():
                if asked.any():
                    results.setdefault(name, []).append(_classify(model, crops, track_roles, known, asked))
        progress(repeat + 1, repeats)
    return {name: _summary(rows) for name, rows in results.items()}


def _choose_crops(
    crops: TrackCrops,
    track_roles: Sequence[TrackRole],
    known: Sequence[Role],
    crops_per_role: int,
    tracks_per_role: int,
    rng: np.random.Generator,
) -> Ints:
    """Crops to label: of a few random tracks of each role, one crop of each track in turn."""
    chosen: list[int] = []
    for role in known:
        of_role = [n for n in np.unique(crops.owner).tolist() if track_roles[n].role is role]
        by_track = [
            rng.permutation(np.flatnonzero(crops.owner == n)).tolist()
            for n in rng.permutation(of_role)[:tracks_per_role].tolist()
        ]
        longest = max(len(track) for track in by_track)
        in_turn = [track[turn] for turn in range(longest) for track in by_track if turn < len(track)]
        chosen += in_turn[:crops_per_role]
    return np.array(chosen, dtype=np.int64)


def _fit(
    crops: TrackCrops,
    track_roles: Sequence[TrackRole],
    known: Sequence[Role],
    chosen: Ints,
    features: RoleFeatures,
) -> RoleClassifier:
    owner = crops.owner[chosen].tolist()
    labelled = Labelled(
        crops.features[chosen],
        np.array([known.index(track_roles[n].role) for n in owner]),
        [str(n) for n in owner],
    )
    classes = [(role,) for role in known]
    return RoleClassifier(fit(labelled, classes, features.identity, facility=None, made="-"))


def _groups(
    crops: TrackCrops,
    track_roles: Sequence[TrackRole],
    known: Sequence[Role],
    chosen: Ints,
    without_role: bool,
) -> dict[str, Bools]:
    """The groups of tracks to classify, as masks (N,) of crops."""
    owners = crops.owner.tolist()
    if without_role:
        return {"a role that was not labelled": np.array([track_roles[n].role not in known for n in owners])}
    labelled = set(crops.owner[chosen].tolist())
    people = {track_roles[n].person for n in labelled}
    return {
        "other tracks": np.array([n not in labelled for n in owners]),
        "other people": np.array([track_roles[n].person not in people for n in owners]),
    }


def _classify(
    model: RoleClassifier,
    crops: TrackCrops,
    track_roles: Sequence[TrackRole],
    known: Sequence[Role],
    asked: Bools,
) -> tuple[float, float, float, int]:
    """Share unknown, share correct of the others (NaN if none), share wrong of all; and number of tracks."""
    owners = crops.owner[asked].astype(str)
    names = np.unique(owners)
    best, confidence = combine_readings(model.classes(crops.features[asked]), owners, names)
    sure = confidence >= MIN_ROLE_CONFIDENCE
    correct = np.array(
        [known[k] is track_roles[int(n)].role for k, n in zip(best.tolist(), names, strict=True)]
    )
    among_sure = float(correct[sure].mean()) if sure.any() else float("nan")
    return float(1 - sure.mean()), among_sure, float((sure & ~correct).mean()), len(names)


def _summary(rows: Sequence[tuple[float, float, float, int]]) -> RoleAccuracy:
    table = np.array(rows, dtype=np.float64)
    unknown, correct, wrong = (_mean_and_range(table[:, column]) for column in range(3))
    return {
        "repeats": len(rows),
        "tracks": round(float(table[:, 3].mean()), 1),
        "unknown": unknown,
        "correct": correct,
        "wrong": wrong,
    }


def _mean_and_range(values: npt.NDArray[np.float64]) -> MeanAndRange | None:
    defined = values[~np.isnan(values)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [0.025, 0.975])
    return {
        "mean": round(float(defined.mean()), 3),
        "range": (round(float(low), 3), round(float(high), 3)),
    }
