"""The OpenVINO export in f32 that runs on a CPU where no verified export is faster.

It computes as the weights do in torch, so it needs no verification. It is made once, on first use, into the
cache, under the digest of its weights, and takes every shape.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from models.errors import ModelError
from models.registry import Weights
from models.runtimes import making, store
from models.runtimes.forms import Form
from models.runtimes.network import Network

FORM = Form("openvino", "f32")
DIGEST = "sha256"
FIRST_IMGSZ = 640
"""px for which the export is traced; it takes any multiple of 32 afterwards."""


def openvino(weights: Weights) -> Path:
    """The plain OpenVINO export of ultralytics weights, made if missing.

    Raises:
        ModelError: the weights cannot be exported, the cache cannot be written, or what lies there is
            not what was made.
    """

    def make(folder: Path) -> None:
        network = making.make(weights, FORM, FIRST_IMGSZ, "cpu", 1, (), folder)
        Network(network, FORM, "cpu").run(np.zeros((1, 64, 64, 3), np.uint8))

    return made_once(weights, make) / FORM.file(weights.path.stem)


def made_once(weights: Weights, make: Callable[[Path], None]) -> Path:
    """The folder of the plain OpenVINO export of weights; `make` fills it if it is missing.

    `make` is given a temporary folder, which is renamed into place afterwards, so that a kill or a second
    process never leaves half an export.

    Raises:
        ModelError: the cache cannot be written, or what lies there is not what was made.
    """
    target = store.cache_folder() / "exports" / weights.sha256[:16] / str(FORM)
    try:
        if not target.is_dir():
            with store.workspace(target) as work:
                made = work / str(FORM)
                made.mkdir()
                make(made)
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
    return target
