"""Images of a calibration: reading a frame of the camera, and drawing the errors over it."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from incidents.files import write_atomic
from pipelines.calibration.report import Report, mark_points
from zones.calibration.survey import ACCEPTED_SE_M
from zones.errors import LazarettoError

Image = npt.NDArray[np.uint8]
"""(H, W, 3) BGR."""


def draw_error_map(result: Report, frame: Image | None = None) -> Image:
    """Draw the errors of distances over a frame of the camera, or over grey."""
    width, height = result.size
    canvas = np.full((height, width, 3), 60, np.uint8) if frame is None else frame.copy()
    fine = result.fine.distance_se
    colour = np.zeros((*fine.shape, 3), np.uint8)
    colour[fine > 2 * ACCEPTED_SE_M] = (60, 60, 220)
    colour[fine <= 2 * ACCEPTED_SE_M] = (60, 200, 230)
    colour[fine <= ACCEPTED_SE_M] = (80, 180, 60)
    over = cv2.resize(colour, (width, height), interpolation=cv2.INTER_NEAREST)
    known = (
        cv2.resize(np.isfinite(fine).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    )
    blended = cv2.addWeighted(canvas, 0.65, over, 0.35, 0)
    canvas[known] = blended[known]
    scale = max(0.35, height / 1100)
    for centre, se in zip(
        result.coarse.centres.reshape(-1, 2).tolist(), result.coarse.distance_se.ravel().tolist(), strict=True
    ):
        if math.isfinite(se):
            text = f"{se:.2f}"
            (wide, high), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
            at = (int(centre[0] * width - wide / 2), int(centre[1] * height + high / 2))
            for shade, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
                cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, shade, thick, cv2.LINE_AA)
    marks = mark_points(result.spec)
    for x, y in [] if marks is None else marks.tolist():
        cv2.drawMarker(canvas, (int(x * width), int(y * height)), (255, 255, 255), cv2.MARKER_CROSS, 14, 2)
    return canvas


def write_image(path: Path, image: Image) -> None:
    """Write an image as PNG or JPEG.

    Raises:
        LazarettoError: the file cannot be written, or its name is not that of a PNG or JPEG.
    """
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise LazarettoError(f"expected a .png or .jpg file for the error map, got {path}")
    _, data = cv2.imencode(path.suffix, image)
    try:
        write_atomic(path, data.tobytes())
    except OSError as error:
        reason = error.strerror or error
        raise LazarettoError(f"expected a file that can be written, got {path}: {reason}") from error


def read_frame(path: Path) -> Image:
    """Read an image of a camera.

    Raises:
        LazarettoError: there is no such file, or it is not an image.
    """
    if not path.is_file():
        raise LazarettoError(f"expected an image, got no file {path}")
    image = cv2.imread(str(path))
    if image is None:
        raise LazarettoError(f"expected an image, got {path}, which is not one")
    return np.asarray(image, dtype=np.uint8)
