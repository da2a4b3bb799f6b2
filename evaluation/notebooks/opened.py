"""The site that a notebook looks at: home, ledger, facility, a camera, and a picture of it."""

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

GREY = 90
"""Of a picture that stands for one, where no clip shows the camera."""


class NothingToShowError(LazarettoError):
    """Why a notebook cannot go on; it shows as one sentence, and the rest does not run."""

    def _render_traceback_(self) -> Sequence[str]:
        # IPython asks an exception for this before it formats one itself.
        return [str(self)]


@dataclass(frozen=True)
class Site:
    """What a notebook looks at.

    Attributes:
        home, ledger, facility: of the site; the ledger is open.
        camera: the camera looked at.
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


def open_site(home: str | Path, facility: str | Path | None = None, camera: str | None = None) -> Site:
    """Open a site for a notebook.

    Args:
        home: the folder that `analyze` wrote.
        facility: a facility file; None = the one in force in the home.
        camera: an id; None = the first of the facility of which the log holds something.

    Raises:
        NothingToShowError: there is none, with the reason.
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
                f"got those of {', '.join(held) or 'nobody'}"
            )
        return Site(place, ledger, loaded, found, _picture(place, ledger, found))
    except LazarettoError as error:
        raise NothingToShowError(f"Nothing to show: {error}") from None


def _picture(home: Home, ledger: Ledger, camera: Camera) -> npt.NDArray[np.uint8]:
    """The first picture of a clip of the camera: clips, unlike key frames, carry no drawing."""
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
    return np.full((height, width, 3), GREY, dtype=np.uint8)
