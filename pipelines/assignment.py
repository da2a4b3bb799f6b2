"""Assignment of footage to cameras."""

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
    """A video file or an image sequence, and the camera that recorded it."""

    path: Path
    camera: Camera


def assign(
    arguments: Sequence[str], facility: Facility, camera: str | None = None
) -> tuple[list[Footage], list[LazarettoError]]:
    """Assign each source to a camera; folders are expanded.

    A source is `PATH` or `CAMERA=PATH`. If neither `CAMERA` nor `camera` is given, the camera is the one
    whose id is the name of the file or of its folder, else the only camera of the facility. Errors of single
    sources are returned, so that one bad source does not stop the others.

    Raises:
        UnknownCamera: `camera` is not in the facility.
    """
    if camera is not None:
        facility.camera(camera)
    footage: list[Footage] = []
    errors: list[LazarettoError] = []
    for argument in arguments:
        name, separator, path_part = argument.partition("=")
        has_camera = bool(separator) and "/" not in name and not Path(argument).exists()
        try:
            wanted = facility.camera(name).id if has_camera else camera
            found = expand([path_part if has_camera else argument])
        except (UnknownCamera, SourceError) as error:
            errors.append(error)
            continue
        for path in found:
            try:
                footage.append(Footage(path, _camera_of(path, facility, wanted)))
            except LazarettoError as error:
                errors.append(error)
    return footage, errors


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
        f"{path}: expected a camera, one of {ids}, got none: give it with --camera, or as CAMERA={path.name}"
    )
