"""`lazaretto models`: which weights there are, how good they are, and how they came to be."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from models import registry

app = typer.Typer(
    help="Look at weights, measure them, train them anew.", no_args_is_help=True, rich_markup_mode=None
)

Data = Annotated[
    Path, typer.Option(help="Folder with data/ and weights/ (the public sources and initialisations).")
]
Work = Annotated[Path, typer.Option(help="Folder of data sets and checkpoints.")]


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List our own weights, each verified against its published digest."""
    found = [(w.name, w.classes or (), w.path.stat().st_size, w.sha256) for w in registry.installed()]
    if as_json:
        keys = ("name", "classes", "bytes", "sha256")
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in found], indent=1))
        return
    table = Table("name", "classes", "MB", "SHA-256")
    for name, classes, size, digest in found:
        table.add_row(name, ", ".join(classes), f"{size / 1e6:.1f}", digest)
    Console().print(table)


@app.command()
def train(
    name: Annotated[str, typer.Argument(help="person or face_mask")], data: Data, work: Work = Path("runs")
) -> None:
    """Train weights by their recipe; interrupted, the same command goes on from the last epoch."""
    from models.training import train as run_training

    print(run_training(name, data, work))


@app.command()
def evaluate(
    name: Annotated[str, typer.Argument(help="person or face_mask: which held-out images to use")],
    data: Data,
    weights: Annotated[
        str | None, typer.Option(help="Weights to measure; ours of that name by default.")
    ] = None,
    imgsz: Annotated[int, typer.Option(help="Longer side, px.")] = 640,
) -> None:
    """Measure weights on images they have not seen; prints JSON."""
    from models.evaluation import evaluate as measure

    print(json.dumps(asdict(measure(name, registry.resolve(weights or name).path, data, imgsz)), indent=1))


@app.command()
def publish(
    name: Annotated[str, typer.Argument(help="person or face_mask")],
    checkpoint: Annotated[Path, typer.Argument(help="The checkpoint that `train` printed.")],
) -> None:
    """Keep a checkpoint as the weights of a name in this checkout."""
    from models.publishing import publish as keep

    kept = keep(name, checkpoint)
    print(f"{kept.path}: {kept.path.stat().st_size} bytes, SHA-256 {kept.sha256}")
