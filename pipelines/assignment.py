"""Which footage belongs to which camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vision.sources.expand import expand
from vision.sources.timeline import SourceError
from zones.errors import LazarettoError
from zones.facility import Camera, Facility, UnknownCamera


@dataclass(frozen=True)
class Footage:
    """One file, or one image sequence, of one camera."""

    path: Path
    camera: Camera


def assign(
    arguments: Sequence[str], facility: Facility, camera: str | None = None
) -> tuple[list[Footage], list[LazarettoError]]:
    """Find the camera of each source; folders are expanded.

    A source is `PATH` or `CAMERA=PATH`. Without a camera given either way, it is the one whose id is
    the file's or its folder's name, else the only camera of the facility. Sources that cannot be
    assigned are returned as errors beside the others: one bad source does not stop the good ones.

    Raises:
        UnknownCamera: `camera` is not in the facility: a mistake about all sources.
    """
    if camera is not None:
        facility.camera(camera)
    footage: list[Footage] = []
    faults: list[LazarettoError] = []
    for argument in arguments:
        named, separator, rest = argument.partition("=")
        explicit = bool(separator) and "/" not in named and not Path(argument).exists()
        try:
            wanted = facility.camera(named).id if explicit else camera
            found = expand([rest if explicit else argument])
        except (UnknownCamera, SourceError) as error:
            faults.append(error)
            continue
        for path in found:
            try:
                footage.append(Footage(path, _camera_of(path, facility, wanted)))
            except LazarettoError as error:
                faults.append(error)
    return footage, faults


def _camera_of(path: Path, facility: Facility, wanted: str | None) -> Camera:
    if wanted is not None:
        return facility.camera(wanted)
    for camera in facility.cameras:
        if camera.id in (path.stem, path.absolute().parent.name):
            return camera
    if len(facility.cameras) == 1:
        return facility.cameras[0]
    ids = ", ".join(camera.id for camera in facility.cameras)
    raise SourceError(
        f"{path}: expected to know its camera, one of {ids}: name it with --camera, or as CAMERA={path.name}"
    )
