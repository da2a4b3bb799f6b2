"""The appearance network: it turns the crop of a person into a unit vector, to be compared by cosine.

It has the first stages of the person detector (YOLO11n), pooled by height and projected. A detector's early
stages already distinguish clothes; the deeper ones, left out here, only distinguish people from the rest.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from models.appearance.sizes import DIMENSION, HEIGHT, WIDTH
from models.errors import ModelError
from models.offline import quiet_ultralytics

STRIPES = 4
"""Head, chest, hips and legs are pooled separately, so that a dark coat and light trousers do not mix."""
FORMAT = "lazaretto-appearance-1"


class AppearanceNet(nn.Module):
    """BGR crops (N, HEIGHT, WIDTH, 3), uint8 or float 0..255, to unit vectors (N, DIMENSION)."""

    def __init__(self) -> None:
        """Build with random weights; see `from_detector` and `load`."""
        super().__init__()
        quiet_ultralytics()
        from ultralytics.nn.modules import C3k2, Conv

        self.stages = nn.Sequential(
            Conv(3, 16, 3, 2),
            Conv(16, 32, 3, 2),
            C3k2(32, 64, 1, False, 0.25),
            Conv(64, 64, 3, 2),
            C3k2(64, 128, 1, False, 0.25),
            Conv(128, 128, 3, 2),
            C3k2(128, 128, 1, True),
        )
        self.project = nn.Linear(128 * (1 + STRIPES + 1), DIMENSION)

    def forward(self, crops: Tensor) -> Tensor:
        """See the class."""
        x = crops.permute(0, 3, 1, 2).flip(1).to(self.project.weight.dtype) / 255
        fine = self.stages[:5](x)  # stride 8: texture
        coarse = self.stages[5:](fine)  # stride 16: what is worn where
        stripes = nn.functional.avg_pool2d(coarse, (HEIGHT // 16 // STRIPES, WIDTH // 16))
        pooled = torch.cat([fine.mean((2, 3)), stripes.flatten(1), coarse.amax((2, 3))], 1)
        return nn.functional.normalize(self.project(pooled), dim=1)


def from_detector(checkpoint: Path, seed: int) -> AppearanceNet:
    """A network whose stages are those of a YOLO11n detector and whose projection is random.

    Raises:
        ModelError: the checkpoint's stages have another shape.
    """
    from models.offline import yolo

    torch.manual_seed(seed)
    net = AppearanceNet()
    theirs = yolo(checkpoint).model.float().model[: len(net.stages)]
    try:
        net.stages.load_state_dict(theirs.state_dict())
    except RuntimeError as error:
        raise ModelError(f"{checkpoint.name}: expected a YOLO11n detector to start from: {error}") from error
    return net.requires_grad_(True)


def save(net: AppearanceNet, path: Path) -> None:
    """Write the weights in half precision, as plain tensors without paths of this machine or code."""
    state = {
        name: value.half() if value.is_floating_point() else value for name, value in net.state_dict().items()
    }
    temporary = path.with_suffix(".tmp")
    torch.save({"format": FORMAT, "license": "AGPL-3.0-or-later", "state": state}, temporary)
    temporary.replace(path)


def load(path: Path) -> AppearanceNet:
    """Read weights written by `save`; no code in the file is run.

    Raises:
        ModelError: the file has other weights.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != FORMAT:
            raise ModelError(f"{path.name}: expected weights of format {FORMAT}, got {content['format']!r}")
        net = AppearanceNet()
        net.load_state_dict(content["state"])
    except ModelError:
        raise
    except Exception as error:  # torch raises errors of many kinds for other files
        reason = str(error).split("\n")[0][:120]
        raise ModelError(f"{path.name}: expected weights of an appearance network, got {reason}") from error
    return net.eval().requires_grad_(False)
