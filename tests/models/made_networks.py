"""Networks for tests: quick to make, the same every time, and with answers that depend on the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.offline import yolo

CLASSES = ("masked", "unmasked", "incorrect", "none")


def pictures(count: int, side: int, seed: int = 0) -> np.ndarray:
    """Pictures (count, side, side, 3) of blocks in random colours, one colour dominant in each."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (count, 4, 4, 3)) * 0.6 + rng.integers(0, 100, (count, 1, 1, 3))
    return blocks.astype(np.uint8).repeat(side // 4, 1).repeat(side // 4, 2)


def classifier(path: Path, seed: int = 1) -> Any:
    """Write an untrained classifier of four classes to `path`; its batch norms fit `pictures`."""
    torch.manual_seed(seed)
    net = yolo("yolov8n-cls.yaml", "classify").model
    net.model[-1].linear = torch.nn.Linear(1280, len(CLASSES))
    torch.nn.init.normal_(net.model[-1].linear.weight, std=0.3)
    net.names, net.yaml["nc"] = dict(enumerate(CLASSES)), len(CLASSES)
    net.train()
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None
    with torch.no_grad():
        net(as_input(pictures(64, 64, seed=9)))
    net.eval()
    torch.save({"model": net, "train_args": {"task": "classify", "imgsz": 64}}, path)
    return net


def as_input(images: np.ndarray) -> torch.Tensor:
    """Pictures (N, S, S, 3) BGR as a classifier is trained on them: (N, 3, S, S) RGB, 0..1."""
    return torch.from_numpy(np.ascontiguousarray(images[..., ::-1].transpose(0, 3, 1, 2))).float() / 255
