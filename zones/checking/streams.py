"""Whether the addresses of a camera's streams fit each other."""

from __future__ import annotations

from zones.camera import Camera
from zones.checking.findings import Check, Remarks, note, warn
from zones.validation import Loc


def substreams(camera: Camera, loc: Loc) -> Remarks:
    """A warning on a substream without a source, and a note on one that is the source itself."""
    if camera.substream is None:
        return
    at = (*loc, "substream")
    if camera.source is None:
        yield warn(
            Check.SUBSTREAM,
            camera.id,
            at,
            "the substream stands without a source: the camera is not watched live, because key frames and "
            "clips come from the source",
        )
    elif camera.substream == camera.source:
        yield note(
            Check.SUBSTREAM,
            camera.id,
            at,
            "the substream has the address of the source: leave it out where the camera has one stream only",
        )
