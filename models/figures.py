"""The figures of our weights as data: what the cards state, for the command line to show.

`cards/NAME.json` holds them beside the digest of the weights that they are of; weights that were
replaced since have none. Each figure names the cell of a table in the card that states it too, so that
a test can hold the two together.
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
        metric: what: mAP50, MOTA ...
        of: what it is about, where the metric has one per class; else empty.
        value: as measured.
        data: what it was measured on.
        row, column: where the card's tables state it.
    """

    metric: str
    of: str
    value: float
    data: str
    row: str
    column: str

    def __str__(self) -> str:
        """As people read it: mAP50 of masked 0.804."""
        return f"{self.metric}{' of ' if self.of else ''}{self.of} {self.value:.3f}"


@dataclass(frozen=True)
class Card:
    """What is known of weights: the px of the longer side at which the pipeline runs them, and figures."""

    imgsz: int
    figures: tuple[Figure, ...]


def card(weights: Weights) -> Card:
    """The card of weights; one without figures where there is none of this very file."""
    path = CARDS / f"{weights.name}.json"
    if weights.ours and path.is_file():
        content = json.loads(path.read_text())
        if content["sha256"] == weights.sha256:
            return Card(content["imgsz"], tuple(Figure(**row) for row in content["figures"]))
    return Card(USUAL_IMGSZ, ())
