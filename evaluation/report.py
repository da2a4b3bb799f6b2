"""The report of an evaluation: JSON that states what was measured with what; and estimates as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from incidents.files import write_atomic
from incidents.intervals import LEVEL, Estimate
from models.registry import Weights
from zones.errors import LazarettoError

EXACT = "exact interval: there are too few units for a bootstrap, or all are alike"


@dataclass(frozen=True)
class Report:
    """One evaluation.

    Attributes:
        question: detection, tracking, masks or events.
        settings: what it was run with.
        weights: purpose -> weights that were used.
        seed, resamples: of the bootstrap.
        unit: what the bootstrap resampled; units: how many there were.
        counts: numbers without an interval.
        figures: estimates, nested by class, band, kind or state.
        notes: sentences that a reader of the estimates should know.
    """

    question: str
    settings: Mapping[str, object]
    weights: Mapping[str, Weights]
    seed: int
    resamples: int
    unit: str
    units: int
    counts: Mapping[str, object]
    figures: Mapping[str, object]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """The report for JSON."""
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
        """The report as JSON text; equal input gives equal text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)

    def write(self, path: Path) -> None:
        """Write the JSON; the file is complete, or stays as it was.

        Raises:
            LazarettoError: the file cannot be written.
        """
        write_json(self.to_dict(), path)


def write_json(content: Mapping[str, object], path: Path) -> None:
    """Write JSON; the file is complete, or stays as it was.

    Raises:
        LazarettoError: the file cannot be written.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    try:
        write_atomic(path, (text + "\n").encode())
    except OSError as error:
        raise LazarettoError(
            f"{path}: expected a file that can be written, got: {error.strerror or error}"
        ) from error


def estimate_text(estimate: Estimate, digits: int = 3) -> str:
    """An estimate such as `0.849 (0.812 - 0.880)`; `*` marks an exact interval, `-` an undefined estimate."""
    if estimate.value is None:
        return "-"
    text = f"{estimate.value:.{digits}f}"
    if estimate.low is None or estimate.high is None:
        return text
    mark = "*" if estimate.interval == "exact" else ""
    return f"{text} ({estimate.low:.{digits}f} - {estimate.high:.{digits}f}){mark}"


def _plain(value: object) -> object:
    if isinstance(value, Estimate):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
