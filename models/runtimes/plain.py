"""The form that needs no verification: OpenVINO in floating point on a CPU, torch in half precision on a GPU.

It is the source's own arithmetic, so it is what runs where no verified export is faster. The OpenVINO
export is made once, on first use, into the cache, under the digest of its weights; it takes every shape.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.errors import ModelError
from models.registry import Weights
from models.runtimes import making, store
from models.runtimes.forms import Form
from models.runtimes.network import Network

DIGEST = "sha256"
FIRST_IMGSZ = 640
"""px for which the export is traced; it takes any multiple of 32 afterwards."""


def openvino(weights: Weights) -> Path:
    """The plain OpenVINO export of weights, made if missing.

    In a temporary folder, tried on one image, then renamed into place, so that a kill or a second
    process never leaves half an export.

    Raises:
        ModelError: the weights cannot be exported, the cache cannot be written, or what lies there is
            not what was made.
    """
    target = store.cache_folder() / "exports" / weights.sha256[:16] / "openvino"
    path = target / Form("openvino").file(weights.path.stem)
    try:
        if not target.is_dir():
            with store.workspace(target) as work:
                made = work / "openvino"
                made.mkdir()
                network = making.make(weights, Form("openvino"), FIRST_IMGSZ, "cpu", 1, (), made)
                Network(network, "cpu", False).run(np.zeros((1, 64, 64, 3), np.uint8))
                (made / DIGEST).write_text(store.digest(made))
                if not target.is_dir():
                    made.replace(target)
        expected = (target / DIGEST).read_text()
    except OSError as error:
        raise ModelError(f"cannot export {weights.name} below {target.parent}: {error}") from error
    found = store.digest(target)
    if found != expected:
        raise ModelError(
            f"the export in {target} is not the one made from {weights.name}: expected SHA-256 "
            f"{expected[:12]}..., got {found[:12]}...; remove the folder and it is made anew"
        )
    return path
