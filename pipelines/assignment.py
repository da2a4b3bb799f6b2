"""Assignment of footage to cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.home import is_of_home
from vision.sources.expand import expand_one, first_few
from vision.sources.timeline import SourceError
from zones.errors import LazarettoError
from zones.facility import Camera, Facility, UnknownCamera


@dataclass(frozen=True)
class Footage:
    """A video file or an image sequence, and the camera that recorded it.

    Attributes:
        path: the source.
        camera: the camera.
        argument: the argument that named it, or a folder of it.
        alone: the argument named this file and its camera, and nothing else.
        start: the start that the user gave, microseconds UTC; None = as the source says.
    """

    path: Path
    camera: Camera
    argument: str = ""
    alone: bool = False
    start: int | None = None


@dataclass
class Assignment:
    """What the arguments of a user name.

    Attributes:
        footage: the sources with their cameras, each once.
        faults: one error for each argument or source that cannot be used.
        left_out: one sentence for each folder with files that are no sources, and for each with homes in it.
    """

    footage: list[Footage] = field(default_factory=list)
    faults: list[LazarettoError] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def assign(arguments: Sequence[str], facility: Facility, camera: str | None = None) -> Assignment:
    """Assign each source to a camera; folders are expanded, and homes of this program in them passed over.

    A source is `PATH` or `CAMERA=PATH`. If neither `CAMERA` nor `camera` is given, the camera is the one
    whose id is the name of the file or of a folder that it lies in, else the only camera of the facility.
    Errors of single sources are returned, so that one bad source does not stop the others.

    Raises:
        UnknownCamera: `camera` is not in the facility.
    """
    if camera is not None:
        facility.camera(camera)
    result = Assignment()
    for argument in arguments:
        name, separator, path_part = argument.partition("=")
        has_camera = bool(separator) and "/" not in name and not Path(argument).exists()
        given = path_part if has_camera else argument
        try:
            wanted = facility.camera(name).id if has_camera else camera
            if not given:  # As a path, it would be the folder in which the program runs.
                raise SourceError(f"{argument!r}: expected PATH or CAMERA=PATH, got an empty path")
            found = expand_one(given, is_of_home)
        except (UnknownCamera, SourceError) as error:
            result.faults.append(error)
            continue
        if (rest := found.describe_rest(given)) is not None:
            result.left_out.append(rest)
        if passed := found.passed_over:
            result.left_out.append(
                f"{given}: passed over what this program itself wrote (a home, or folders of one): "
                f"{first_few(passed)}"
            )
        for path in found.paths:
            try:
                owner = _camera_of(path, Path(given), facility, wanted)
            except LazarettoError as error:
                result.faults.append(error)
                continue
            alone = has_camera and found.paths == (Path(given),)
            item = Footage(path, owner, argument, alone)
            if not any((item.path, item.camera) == (other.path, other.camera) for other in result.footage):
                result.footage.append(item)
    return result


def _camera_of(path: Path, named: Path, facility: Facility, wanted: str | None) -> Camera:
    if wanted is not None:
        return facility.camera(wanted)
    names = [path.stem, path.absolute().parent.name]
    if path.is_relative_to(named):
        # Of a folder that was given, the folders on the way down count too, and so does its own name.
        names += [folder.name for folder in path.absolute().relative_to(named.absolute().parent).parents]
    for name in names:
        for camera in facility.cameras:
            if camera.id == name:
                return camera
    if len(facility.cameras) == 1:
        return facility.cameras[0]
    ids = ", ".join(camera.id for camera in facility.cameras)
    raise SourceError(
        f"{path}: expected a camera, one of {ids}, got none: give it with --camera, or as CAMERA={path.name}"
    )
