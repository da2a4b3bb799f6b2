"""The footage of a benchmark: the cameras, their videos, and what truly happened there.

A set is a folder with a file `bench.json`:

    {
     "schema": 1,
     "name": "corridor",
     "bars": "quiet",
     "facility": "facility.yaml",
     "events": "events.json",
     "cameras": [{"id": "corridor", "video": "corridor.mp4", "truth": "facts", "occupied": 0.04}]
    }

Paths are relative to the folder. `events` is a file of true events (`evaluation.truth`); in place of it, a
set of one camera may name `tracks`, a MOT text file. Without either, no events are scored.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from evaluation.bench.video_files import cut
from incidents.files import write_atomic
from zones.errors import LazarettoError
from zones.facility import load_facility
from zones.validation import Model

MANIFEST = "bench.json"
Bars = Literal["busy", "quiet", "many"]
"""Which of the project's bars a set is held to: a camera always occupied, a quiet camera, many cameras."""
Truth = Literal["facts", "tracks", "reference"]
"""Where the true events of a camera come from: facts noted by a person, true tracks judged by the rules, or
an analysis of every frame at full scale, which is a reference and not the truth."""


class CameraEntry(Model):
    """A camera of a set."""

    id: str = Field(min_length=1, title="Id", description="Id of the camera in the facility file.")
    video: str = Field(min_length=1, title="Video", description="Its video, relative to the folder.")
    truth: Truth | None = Field(default=None, title="Truth", description="Where its true events come from.")
    occupied: float | None = Field(
        default=None, ge=0, le=1, title="Occupied", description="Share of the time with people in view."
    )


class Manifest(Model):
    """The file `bench.json` of a set."""

    schema_version: Literal[1] = Field(alias="schema", title="Schema", description="Version of this format.")
    name: str = Field(min_length=1, title="Name", description="Name of the set.")
    bars: Bars | None = Field(default=None, title="Bars", description="Bars that the set is held to.")
    facility: str = Field(title="Facility", description="The facility file.")
    events: str | None = Field(default=None, title="Events", description="File of true events.")
    tracks: str | None = Field(default=None, title="Tracks", description="True tracks in MOT text.")
    cameras: tuple[CameraEntry, ...] = Field(min_length=1, title="Cameras")


@dataclass(frozen=True)
class BenchCamera:
    """A camera, its video, where its true events come from, and the share of time with people in view."""

    id: str
    video: Path
    truth: Truth | None = None
    occupied: float | None = None


@dataclass(frozen=True)
class BenchSet:
    """The footage that workloads run on.

    Attributes:
        name: of the set.
        facility: the facility file, which has all cameras.
        cameras: in the order in which a curve adds them.
        events, tracks: files of true events, or of true tracks of the only camera; None = none.
        bars: the bars that the set is held to; None = none.
    """

    name: str
    facility: Path
    cameras: tuple[BenchCamera, ...]
    events: Path | None = None
    tracks: Path | None = None
    bars: Bars | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be run, before anything takes minutes.

        Raises:
            LazarettoError: a file is missing, the facility lacks a camera, or the truth does not fit.
        """
        files = [self.facility, *(camera.video for camera in self.cameras)]
        for path in (*files, *(item for item in (self.events, self.tracks) if item is not None)):
            if not path.is_file():
                raise LazarettoError(
                    f"{path}: expected a file, got {'a folder' if path.exists() else 'none'}"
                )
        facility = load_facility(str(self.facility))
        for camera in self.cameras:
            facility.camera(camera.id)
        if self.tracks is not None and (self.events is not None or len(self.cameras) > 1):
            raise LazarettoError("expected true tracks of one camera without true events, got more")

    def first(self, count: int) -> BenchSet:
        """The set with its first `count` cameras alone."""
        return replace(self, cameras=self.cameras[:count])


def read_set(folder: Path) -> BenchSet:
    """Read the set of a folder.

    Raises:
        LazarettoError: the folder holds no set, or one that cannot be run.
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise LazarettoError(
            f"{folder}: expected a folder with {MANIFEST} (see `lazaretto bench --build`), got: "
            f"{error.strerror or error}"
        ) from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise LazarettoError(f"{path}: expected JSON in UTF-8, got a fault ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise LazarettoError(f"{path}: {where}: {first['msg']}") from error
    return BenchSet(
        manifest.name,
        folder / manifest.facility,
        tuple(
            BenchCamera(item.id, folder / item.video, item.truth, item.occupied) for item in manifest.cameras
        ),
        None if manifest.events is None else folder / manifest.events,
        None if manifest.tracks is None else folder / manifest.tracks,
        manifest.bars,
    )


def write_set(folder: Path, manifest: Manifest) -> BenchSet:
    """Write the manifest of a set into its folder, and read the set back.

    Raises:
        LazarettoError: a file that it names is missing.
    """
    text = manifest.model_dump_json(by_alias=True, indent=1, exclude_none=True)
    write_atomic(folder / MANIFEST, (text + "\n").encode())
    return read_set(folder)


@contextmanager
def shortened(bench: BenchSet, seconds: float | None) -> Iterator[BenchSet]:
    """The set with at least the first `seconds` of each video, cut at a key frame; None = the whole set.

    The cut videos are in a temporary folder that is removed with the context.

    Raises:
        SourceError: a video cannot be read.
    """
    if seconds is None:
        yield bench
        return
    with tempfile.TemporaryDirectory(prefix="lazaretto-bench-") as folder:
        cameras: Sequence[BenchCamera] = [
            replace(camera, video=cut(camera.video, Path(folder) / f"{n}{camera.video.suffix}", seconds))
            for n, camera in enumerate(bench.cameras)
        ]
        yield replace(bench, cameras=tuple(cameras))


def one_video(
    video: Path, facility: Path, camera: str, tracks: Path | None = None, events: Path | None = None
) -> BenchSet:
    """A set of one video. That of the sample yard is held to the bars of a busy camera.

    Raises:
        LazarettoError: a file is missing, the facility lacks the camera, or two kinds of truth are given.
    """
    truth: Truth | None = None if tracks is None else "tracks"
    bars: Bars | None = "busy" if video.name == "yard.mp4" else None
    return BenchSet(video.stem, facility, (BenchCamera(camera, video, truth),), events, tracks, bars)
