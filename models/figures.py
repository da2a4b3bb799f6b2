"""The accuracy figures of our weights, as data for the command line.

`cards/NAME.json` has them with the digest of the weights that they were measured on; weights with another
digest have no figures. Each figure names the table cell of the card with the same number; a test
compares them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from models.registry import Weights

CARDS = Path(__file__).parent / "cards"
USUAL_IMGSZ = 640
"""px for weights without a card: ultralytics' default."""


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes:
        metric: mAP50, MOTA ...
        of: the class, where the metric has a value per class; else empty.
        value: the number.
        data: what it was measured on.
        row, column: its cell in the card's tables.
    """

    metric: str
    of: str
    value: float
    data: str
    row: str
    column: str

    def __str__(self) -> str:
        """The figure as text: mAP50 of masked 0.804."""
        return f"{self.metric}{' of ' if self.of else ''}{self.of} {self.value:.3f}"


@dataclass(frozen=True)
class Card:
    """The px of the longer side at which the pipeline runs weights, and their figures."""

    imgsz: int
    figures: tuple[Figure, ...]


def card(weights: Weights) -> Card:
    """The card of weights; without figures where none were measured on this very file."""
    path = CARDS / f"{weights.name}.json"
    if weights.ours and path.is_file():
        content = json.loads(path.read_text())
        if content["sha256"] == weights.sha256:
            return Card(content["imgsz"], tuple(Figure(**row) for row in content["figures"]))
    return Card(USUAL_IMGSZ, ())
