"""Publish trained weights: small, without traces of the training machine, listed with their digest."""

from __future__ import annotations

from pathlib import Path

from models.errors import ModelError
from models.offline import quiet_ultralytics
from models.registry import FOLDER, Weights, register

MAX_BYTES = 7 * 1024 * 1024
"""Every clone of the repository carries every version. Project default (docs/defaults.md)."""


def publish(name: str, checkpoint: Path, folder: Path = FOLDER) -> Weights:
    """Keep a trained checkpoint as the weights of a name, in half precision, and list its digest.

    Only what inference needs is kept; a checkpoint also contains paths of the machine that trained it.

    Raises:
        ModelError: there is no such checkpoint, or it is larger than 7 MB.
    """
    if not checkpoint.is_file():
        raise ModelError(f"expected a checkpoint at {checkpoint}, found none")
    quiet_ultralytics()
    import torch
    from ultralytics import __version__

    if name == "appearance":
        return _publish_appearance(name, checkpoint, folder)
    content = torch.load(checkpoint, map_location="cpu", weights_only=False)
    model = (content.get("ema") or content["model"]).half().eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    arguments = content["train_args"]
    model.args = {"task": arguments.get("task", "detect"), "imgsz": int(arguments["imgsz"])}
    model.yaml = {k: v for k, v in model.yaml.items() if k != "yaml_file"}
    for trace in ("pt_path", "criterion"):  # the file it was loaded from, and its training loss
        model.__dict__.pop(trace, None)
    kept = {
        "model": model,
        "train_args": dict(model.args),
        "version": __version__,
        "license": "AGPL-3.0-or-later",
    }
    target = folder / f"{name}.pt"
    temporary = target.with_suffix(".tmp")
    torch.save(kept, temporary)
    if temporary.stat().st_size > MAX_BYTES:
        size = temporary.stat().st_size
        temporary.unlink()
        raise ModelError(f"expected weights of at most {MAX_BYTES} bytes, got {size}")
    temporary.replace(target)
    return register(name, target, tuple(model.names.values()))


def _publish_appearance(name: str, checkpoint: Path, folder: Path) -> Weights:
    """Publish the appearance network, which is no ultralytics checkpoint, as tensors in half precision."""
    from models.appearance import network

    net = network.load(checkpoint)
    target = folder / f"{name}.pt"
    network.save(net, target)
    return register(name, target, ())
