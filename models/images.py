"""Images in memory and in files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

Image = NDArray[np.uint8]
"""H x W x 3, BGR."""
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


def read_image(path: Path) -> Image:
    """Read an image file.

    Raises:
        ModelError: the file is not an image.
    """
    image = cv2.imread(str(path))
    if image is None:
        raise ModelError(f"expected an image, got {path}")
    return np.asarray(image, dtype=np.uint8)
