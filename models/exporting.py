"""Exports: the same weights in the form that a device runs fastest.

OpenVINO on a CPU runs a nano detector about three times as fast as torch. An export is made once,
on first use, from verified weights, into a cache named after their digest, so a changed file can
never meet an old export.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np

from models.errors import ModelError
from models.registry import Weights
from models.runtime import yolo
from models.runtimes.network import Network


def cache_folder() -> Path:
    """Where exports are kept: LAZARETTO_CACHE, else the user's cache folder."""
    chosen = os.environ.get("LAZARETTO_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lazaretto"


def openvino(weights: Weights) -> Path:
    """The OpenVINO export of weights (dynamic shapes, so that each camera keeps its aspect ratio).

    Made if missing: in a temporary folder, tried on one image, then renamed into place, so that a kill
    or a second process never leaves half an export.

    Raises:
        ModelError: the weights cannot be exported or the cache cannot be written.
    """
    target = cache_folder() / "openvino" / weights.sha256[:16] / f"{weights.path.stem}_openvino_model"
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            copy = Path(folder) / weights.path.name
            shutil.copyfile(weights.path, copy)
            with warnings.catch_warnings():
                # torch.jit, which OpenVINO's converter uses, announces its retirement on every export.
                warnings.simplefilter("ignore", FutureWarning)
                made = Path(yolo(copy).export(format="openvino", dynamic=True, verbose=False))
            Network(made, "cpu", False).run(np.zeros((1, 64, 96, 3), np.uint8))
            if not target.is_dir():
                made.replace(target)
    except OSError as error:
        raise ModelError(f"cannot export {weights.name} below {target.parent}: {error}") from error
    return target
