"""What a notebook works on: a home with its ledger, a facility, a camera, and a picture of that camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from incidents.ledger import Ledger
from pipelines.facilities.choice import choose_facility
from pipelines.home import Home
from vision import observations
from vision.frames import Frame
from vision.sources.files import open_source
from zones.errors import LazarettoError
from zones.facility import Camera, Facility

PLACEHOLDER_GREY = 90
"""Grey value of the picture if there is no clip of the camera."""


class NothingToShowError(LazarettoError):
    """A notebook cannot go on. It is shown as one sentence, and the cells below do not run."""

    def _render_traceback_(self) -> Sequence[str]:
        # IPython asks an exception for this before it formats one itself.
        return [str(self)]


@dataclass(frozen=True)
class NotebookContext:
    """What a notebook works on.

    Attributes:
        home, ledger, facility: the home folder, its open ledger, and the facility.
        camera: the camera of the notebook.
        picture: (H, W, 3) RGB, uint8, from a clip of the camera; grey where there is none.
    """

    home: Home
    ledger: Ledger
    facility: Facility
    camera: Camera
    picture: npt.NDArray[np.uint8]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, px."""
        return self.picture.shape[1], self.picture.shape[0]


def open_context(
    home: str | Path, facility: str | Path | None = None, camera: str | None = None
) -> NotebookContext:
    """Open the home of a notebook.

    Args:
        home: the folder that `analyze` wrote.
        facility: a facility file; None = the version in force in the home.
        camera: an id; None = the first camera of the facility that has observations.

    Raises:
        NothingToShowError: the home, the facility or observations are missing; the message says which.
    """
    place = Home(Path(home))
    try:
        ledger = Ledger.open(place.ledger, create=False)
        loaded = choose_facility(None if facility is None else str(facility), ledger)
        held = observations.cameras(place.path)
        if camera is None:
            found = next((item for item in loaded.cameras if item.id in held), None)
        else:
            found = loaded.camera(camera) if camera in held else None
        if found is None:
            raise LazarettoError(
                f"expected observations of {camera or 'a camera of ' + loaded.code} in {place.path}, "
                f"got those of {', '.join(held) or 'no camera'}"
            )
        return NotebookContext(place, ledger, loaded, found, _picture(place, ledger, found))
    except LazarettoError as error:
        raise NothingToShowError(f"Nothing to show: {error}") from None


def _picture(home: Home, ledger: Ledger, camera: Camera) -> npt.NDArray[np.uint8]:
    """The first picture of a clip of the camera: clips have no drawing on them, unlike key frames."""
    for incident in ledger.incidents.find(cameras=[camera.id]):
        clip = incident.evidence_of_kind("clip")
        if clip is not None and (home.path / clip.path).is_file():
            source = open_source(home.path / clip.path, camera.id, start=incident.start)
            for item in source.frames():
                if isinstance(item, Frame):
                    return np.ascontiguousarray(item.image[:, :, ::-1])
    span = observations.span(home.path, camera.id)
    seen = observations.read(home.path, camera.id, *(span or (0, 1)))
    width, height = seen.select("width", "height").row(0)
    return np.full((height, width, 3), PLACEHOLDER_GREY, dtype=np.uint8)
