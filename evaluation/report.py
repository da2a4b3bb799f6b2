"""What an evaluation says: as JSON that states what was measured with what, and as cells of a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incidents.files import write_atomic
from incidents.intervals import LEVEL, Estimate
from models.registry import Weights
from zones.errors import LazarettoError

EXACT = "exact interval: too few to draw anew, or all alike"


@dataclass(frozen=True)
class Report:
    """One evaluation.

    Attributes:
        question: detection, tracking, masks or events.
        settings: what it was asked with.
        weights: purpose -> weights that looked.
        seed, resamples: of the bootstrap.
        unit: what was drawn anew; units: how many there were.
        counts: numbers without interval.
        figures: estimates, nested as the question wants.
        notes: sentences that a reader of the figures should know.
    """

    question: str
    settings: Mapping[str, Any]
    weights: Mapping[str, Weights]
    seed: int
    resamples: int
    unit: str
    units: int
    counts: Mapping[str, Any]
    figures: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "question": self.question,
            "settings": dict(self.settings),
            "weights": {
                purpose: {"name": item.name, "sha256": item.sha256, "runtime": item.runtime}
                for purpose, item in self.weights.items()
            },
            "bootstrap": {
                "level": LEVEL,
                "resamples": self.resamples,
                "seed": self.seed,
                "unit": self.unit,
                "units": self.units,
            },
            "counts": dict(self.counts),
            "figures": _plain(self.figures),
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """The same as text; equal input gives equal text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)

    def write(self, path: Path) -> None:
        """Write the JSON so that `path` is whole or as it was.

        Raises:
            LazarettoError: the disk refuses it.
        """
        try:
            write_atomic(path, (self.to_json() + "\n").encode())
        except OSError as error:
            raise LazarettoError(
                f"{path}: expected to write there, got: {error.strerror or error}"
            ) from error


def cell(estimate: Estimate, digits: int = 3) -> str:
    """An estimate as text, `0.849 (0.812 - 0.880)`; `*` marks an exact interval, `-` what is not known."""
    if estimate.value is None:
        return "-"
    text = f"{estimate.value:.{digits}f}"
    if estimate.low is None or estimate.high is None:
        return text
    mark = "*" if estimate.interval == "exact" else ""
    return f"{text} ({estimate.low:.{digits}f} - {estimate.high:.{digits}f}){mark}"


def _plain(value: Any) -> Any:
    if isinstance(value, Estimate):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
