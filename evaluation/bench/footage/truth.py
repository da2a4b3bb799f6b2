"""True events of built footage: by true tracks of the recording, or by a reference analysis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from evaluation.bench.footage.encoding import Encoding
from evaluation.bench.footage.scenes import Piece, Scene, source_frame
from evaluation.bench.rows import BoxRow, observations_of, rows_of_tracks, start_of
from evaluation.formats import read_mot
from evaluation.setup import PerceptionRequest
from incidents.whole_log import evaluate_observations
from pipelines.observe_footage import observe_footage
from vision.frames import SECOND
from zones.facility import Facility

Entry = tuple[float, str]
"""Entry of a person into a forbidden zone: seconds from the first frame, and the zone."""

REFERENCE_FPS = 30.0
"""Most analysed frames per second of a reference: every frame. Project default (docs/defaults.md)."""
REFERENCE_IMGSZ = 1280
"""Longer side for detection in a reference, px: twice that of a substream. Project default
(docs/defaults.md)."""


def moved_tracks(tracks: Path, scene: Scene, pieces: Sequence[Piece], encoding: Encoding) -> list[BoxRow]:
    """True tracks of a recording, as they appear in a video that was built from pieces of it.

    A person of two pieces has two tracks. Boxes whose foot point is outside the picture are left out.

    Raises:
        TruthError: the tracks cannot be read.
    """
    by_frame: dict[int, list[BoxRow]] = {}
    for row in rows_of_tracks(read_mot(tracks)):
        by_frame.setdefault(row[0], []).append(row)
    top, end = scene.rows or (0, encoding.height)
    scale = encoding.height / (end - top)
    ids: dict[tuple[int, int], int] = {}
    moved: list[BoxRow] = []
    for number, piece in enumerate(pieces):
        for frame in range(piece.at, piece.at + piece.frames):
            for _, track, x1, y1, x2, y2, score in by_frame.get(
                source_frame(scene, piece, frame, encoding.rate), []
            ):
                x1, y1, x2, y2 = x1 * scale, (y1 - top) * scale, x2 * scale, (y2 - top) * scale
                if 0 < (x1 + x2) / 2 < encoding.width and 0 < y2 < encoding.height:
                    own = ids.setdefault((number, track), len(ids))
                    moved.append((frame, own, x1, y1, x2, y2, score))
    return moved


def track_events(rows: Sequence[BoxRow], video: Path, facility: Facility, camera: str) -> list[Entry]:
    """The entries that the rules find in true tracks of a video.

    Raises:
        SourceError: the video cannot be read.
    """
    return _entries(observations_of(rows, video, facility, facility.camera(camera)), video, facility, camera)


def reference_events(video: Path, facility: Facility, camera: str) -> list[Entry]:
    """The entries that the rules find where every frame is analysed at full scale.

    This is a reference and not the truth: it shows what is lost by analysing less, and shares the mistakes of
    our detector and tracker.

    Raises:
        SourceError: the video cannot be read.
        ModelError: weights are not available.
    """
    bundle = PerceptionRequest(fps=REFERENCE_FPS, imgsz=REFERENCE_IMGSZ).load()
    observed = observe_footage(video, bundle, facility.camera(camera), timezone=facility.timezone)
    return _entries(observed.observations, video, facility, camera)


def _entries(rows: pl.DataFrame, video: Path, facility: Facility, camera: str) -> list[Entry]:
    start = start_of(video, facility, facility.camera(camera))
    found = evaluate_observations(rows, facility, camera).findings
    return [
        ((item.start - start) / SECOND, item.zone)
        for item in found
        if item.kind == "zone_crossing" and item.zone is not None
    ]
