"""Crops of the people in footage, for labelling: a few of each track, kept in memory only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from pipelines.assignment import Footage
from vision.frames import SECOND, Frame
from vision.networks import ModelBundle
from vision.perception import Perception
from vision.roles.crops import BodyCrop, CropSampler, cut_body
from vision.roles.reading import clothes_visible
from vision.sources.files import FileSource, open_source
from zones.facility import Camera, Facility

MIN_CROP_INTERVAL_US = 2 * SECOND
"""Minimum interval between crops of a track, microseconds; the pipeline reads clothes as often.
Project default (docs/defaults.md)."""
MAX_BATCH = 16
"""Maximum number of frames analysed at once."""
Progress = Callable[[str, int, int], None]
"""Called with the camera, and the microseconds of footage done and in total."""


def collect_crops(
    footage: Sequence[Footage],
    bundle: ModelBundle,
    facility: Facility,
    source_fps: float | None = None,
    progress: Progress = lambda *_: None,
) -> list[tuple[FileSource, BodyCrop]]:
    """Track all people in the footage; returns crops with their sources, track by track.

    Raises:
        SourceError: a source cannot be read.
    """
    sources = []
    for item in footage:
        aspect, zone = item.camera.picture_aspect, facility.timezone
        source = open_source(item.path, item.camera.id, None, source_fps, zone, aspect)
        sources.append((item.camera, source))
    total = sum(source.info.duration_us or 0 for _, source in sources)
    found: list[tuple[FileSource, BodyCrop]] = []
    done = 0
    for camera, source in sources:
        samplers: dict[str, CropSampler] = {}
        for t in _sample_tracks(camera, source, bundle, samplers):
            progress(camera.id, done + min(t - source.info.start_us, source.info.duration_us or 0), total)
        found += [(source, crop) for sampler in samplers.values() for crop in sampler.selection()]
        done += source.info.duration_us or 0
    return found


def _sample_tracks(
    camera: Camera, source: FileSource, bundle: ModelBundle, samplers: dict[str, CropSampler]
) -> Iterator[int]:
    """Sample crops of all tracks into `samplers`, by track; yields the time reached after each batch."""
    perception = Perception(bundle, camera, f"{camera.id}|{source.info.fingerprint}")
    for frames in _batches(source, round(SECOND / bundle.settings.fps)):
        seen = perception.tabulate(perception.observe(frames, perception.detect(frames)))
        by_index = {frame.index: frame for frame in frames}
        for (index,), people in seen.group_by("frame", maintain_order=True):
            boxes = people.select("x1", "y1", "x2", "y2").to_numpy()
            _sample_frame(samplers, by_index[int(str(index))], boxes, people["track"].to_list())
        yield frames[-1].t


def _sample_frame(
    samplers: dict[str, CropSampler], frame: Frame, boxes: np.ndarray, tracks: Sequence[int]
) -> None:
    for number in np.flatnonzero(clothes_visible(boxes)).tolist():
        name = f"{tracks[number]:016x}"
        sampler = samplers.setdefault(name, CropSampler(MIN_CROP_INTERVAL_US))
        if sampler.accepts(frame.t):
            sampler.add(cut_body(frame, name, boxes[number], [*boxes[:number], *boxes[number + 1 :]]))


def _batches(source: FileSource, interval: int) -> Iterator[list[Frame]]:
    """Batches of sampled frames of one size, at most MAX_BATCH at a time."""
    batch: list[Frame] = []
    for item in source.frames(min_interval_us=interval):
        if not isinstance(item, Frame):
            continue
        if batch and (len(batch) == MAX_BATCH or batch[0].image.shape != item.image.shape):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
