"""Crops of everybody in some footage, for a person to label: a few of each track, in memory only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from pipelines.assignment import Footage
from vision.frames import SECOND, Frame
from vision.perception import ModelBundle, Perception
from vision.roles.crops import BodyCrop, CropSampler, cut_body
from vision.roles.reading import clothes_visible
from vision.sources.files import FileSource, open_source
from zones.facility import Camera, Facility

INTERVAL = 2 * SECOND
"""Least time between crops of a track: what the pipeline looks at later [D]."""
BATCH = 16
Progress = Callable[[str, int, int], None]
"""Told, as it goes on: the camera, microseconds of footage done, microseconds in all."""


def collect_crops(
    footage: Sequence[Footage],
    bundle: ModelBundle,
    facility: Facility,
    source_fps: float | None = None,
    progress: Progress = lambda *_: None,
) -> list[tuple[FileSource, BodyCrop]]:
    """Follow everybody in the footage; returns crops with the source they are from, track by track.

    Raises:
        SourceError: a source cannot be read.
    """
    sources = [
        (item.camera, open_source(item.path, item.camera.id, None, source_fps, facility.timezone))
        for item in footage
    ]
    total = sum(source.info.duration_us or 0 for _, source in sources)
    found: list[tuple[FileSource, BodyCrop]] = []
    before = 0
    for camera, source in sources:
        albums: dict[str, CropSampler] = {}
        for t in _follow(camera, source, bundle, albums):
            progress(camera.id, before + min(t - source.info.start_us, source.info.duration_us or 0), total)
        found += [(source, crop) for album in albums.values() for crop in album.selection()]
        before += source.info.duration_us or 0
    return found


def _follow(
    camera: Camera, source: FileSource, bundle: ModelBundle, albums: dict[str, CropSampler]
) -> Iterator[int]:
    """Fill the albums of all tracks; gives the time reached after every batch of frames."""
    perception = Perception(bundle, camera, f"{camera.id}|{source.info.fingerprint}")
    for frames in _batches(source, round(SECOND / bundle.settings.fps)):
        seen = perception.tabulate(perception.observe(frames, perception.detect(frames)))
        by_index = {frame.index: frame for frame in frames}
        for (index,), people in seen.group_by("frame", maintain_order=True):
            boxes = people.select("x1", "y1", "x2", "y2").to_numpy()
            _keep(albums, by_index[int(str(index))], boxes, people["track"].to_list())
        yield frames[-1].t


def _keep(albums: dict[str, CropSampler], frame: Frame, boxes: np.ndarray, tracks: Sequence[int]) -> None:
    for number in np.flatnonzero(clothes_visible(boxes)).tolist():
        name = f"{tracks[number]:016x}"
        album = albums.setdefault(name, CropSampler(INTERVAL))
        if album.accepts(frame.t):
            album.add(cut_body(frame, name, boxes[number], [*boxes[:number], *boxes[number + 1 :]]))


def _batches(source: FileSource, interval: int) -> Iterator[list[Frame]]:
    """Sampled frames of one size, at most BATCH at a time."""
    batch: list[Frame] = []
    for item in source.frames(min_interval_us=interval):
        if not isinstance(item, Frame):
            continue
        if batch and (len(batch) == BATCH or batch[0].image.shape != item.image.shape):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
