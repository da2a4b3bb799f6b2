"""Fingerprints of sources, by which a source that was analysed before is recognised."""

from __future__ import annotations

import hashlib
from pathlib import Path

from vision.sources.images import image_files, is_image_sequence
from vision.sources.timeline import SourceError

FINGERPRINT_BYTES = 4 * 1024 * 1024
"""Number of bytes at each end of a file that its fingerprint covers."""


def fingerprint(path: Path) -> str:
    """SHA-256 (hex) of the size, the first and the last 4 MiB of a video file.

    This is fast for archives of any size, and detects a recording that was replaced or has grown. It does
    not prove that the bytes in between are unchanged. For an image sequence, it covers the names and sizes
    of all files and the bytes of the first and the last file.

    Raises:
        SourceError: the source cannot be read.
    """
    digest = hashlib.sha256()
    try:
        if is_image_sequence(path):
            images = image_files(path)
            for image in images:
                digest.update(f"{image.name}\0{image.stat().st_size}\0".encode())
            digest.update(images[0].read_bytes() + images[-1].read_bytes())
            return digest.hexdigest()
        with path.open("rb") as file:
            size = file.seek(0, 2)
            digest.update(f"{size}\0".encode())
            file.seek(0)
            digest.update(file.read(FINGERPRINT_BYTES))
            file.seek(max(file.tell(), size - FINGERPRINT_BYTES))
            digest.update(file.read(FINGERPRINT_BYTES))
    except OSError as error:
        raise SourceError(f"{path}: expected a readable file, got {error.strerror}") from error
    return digest.hexdigest()
