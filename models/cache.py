"""The folder of what this machine derives from weights: exports, and the digests of files that were named."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder: LAZARETTO_CACHE, else `lazaretto` in the user's cache folder."""
    chosen = os.environ.get("LAZARETTO_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lazaretto"
