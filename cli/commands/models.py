"""`lazaretto models`: list, trust, export, train, measure and publish weights."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from models import registry
from models.errors import ModelError

if TYPE_CHECKING:
    from models.exports.store import Record

app = typer.Typer(
    help="List, export, train and measure weights.", no_args_is_help=True, rich_markup_mode=None
)

Data = Annotated[
    Path, typer.Option(help="Folder with data/ and weights/ (the public sources and initialisations).")
]
Work = Annotated[Path, typer.Option(help="Folder of data sets and checkpoints.")]


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List our own weights, each verified against its published digest, with figures and verified exports."""
    from models import figures
    from models.exports import store

    found = [(w, figures.card(w), store.exports(w)) for w in registry.installed()]
    if as_json:
        rows = [
            {
                "name": w.name,
                "classes": w.classes,
                "bytes": w.path.stat().st_size,
                "sha256": w.sha256,
                "figures": [
                    {k: getattr(f, k) for k in ("metric", "of", "value", "data")} for f in card.figures
                ],
                "exports": [asdict(export.record) for export in exports],
            }
            for w, card, exports in found
        ]
        print(json.dumps(rows, indent=1))
        return
    for w, card, exports in found:
        print(f"{w.name} ({', '.join(w.classes or ())}), {w.path.stat().st_size / 1e6:.1f} MB")
        print(f"  SHA-256 {w.sha256}")
        for data in dict.fromkeys(figure.data for figure in card.figures):
            print(f"  {', '.join(str(figure) for figure in card.figures if figure.data == data)}: {data}")
        for r in (export.record for export in exports):
            print(
                f"  {r.form} at {r.imgsz} px on {r.device}: {r.metric} {r.export:.4f} after {r.source:.4f} "
                f"of its source, {r.speed:.2f} times as fast as without it{_tracks(r)}"
            )


@app.command()
def trust(
    path: Annotated[str, typer.Argument(help="A .pt file that has changed since it was used.")],
) -> None:
    """Accept the .pt file at a path where another one was used before.

    Loading a .pt file can run any program. Accept only a file whose origin you know.
    """
    accepted = registry.accept(path)
    print(f"{accepted.path} is trusted from now on, and no other file there: SHA-256 {accepted.sha256}")


def _tracks(record: Record) -> str:
    if record.tracking_loss is not None:
        return f", lost at most {record.tracking_loss:.3f} of IDF1 ({record.tracking_data})"
    return "" if record.tracking_passes else ", its tracks were not compared yet"


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="Weights: ours, or a .pt file.")],
    format_: Annotated[
        str,
        typer.Option("--format", help="openvino (CPU), onnx, or engine (TensorRT, on the GPU that runs it)."),
    ],
    precision: Annotated[
        str,
        typer.Option(
            help="f32, bf16 (OpenVINO, on a CPU that has it), f16 (half precision), or int8 (8-bit integers, "
            "calibrated with frames)."
        ),
    ] = "f32",
    calibration: Annotated[
        list[Path] | None,
        typer.Option(
            help="Videos, images or folders to calibrate int8 with, preferably of the same cameras; "
            "may be repeated. Without it, the training images below --data."
        ),
    ] = None,
    frames: Annotated[int, typer.Option(help="Calibration frames, evenly sampled.", min=10)] = 200,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with data/ and weights/; its held-out images verify the export."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="Your labelled images to verify the export with; for a classifier, a folder per class."
        ),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Labels of --images: YOLO text files of the same names.")
    ] = None,
    imgsz: Annotated[
        int | None, typer.Option(help="Input size at which the export will run, px [the pipeline's].")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
) -> None:
    """Export weights; the export is kept if it loses at most 1 point of mAP50, and used if it is faster.

    The export is measured against its source on labelled images, by the same code. It is used at the
    size and on the kind of processor that it was measured on.
    """
    from models import figures
    from models.devices import Device
    from models.exports.exporting import Job
    from models.exports.exporting import export as make
    from models.runtimes.forms import EXPORT_FORMATS, Form

    if format_ not in EXPORT_FORMATS:
        raise ModelError(f"expected --format among {', '.join(EXPORT_FORMATS)}, got {format_!r}")
    weights = registry.resolve(name)
    chosen = Device.choose("cpu" if format_ == "openvino" and device == "auto" else device)
    job = Job(
        weights=weights,
        form=Form(format_, precision),
        imgsz=imgsz or figures.card(weights).imgsz,
        device=str(chosen),
        batch=chosen.batch,
        data=data,
        images=images,
        labels=labels,
        footage=tuple(calibration or ()),
        frames=frames,
    )
    with Console(stderr=True).status("exporting") as status:
        kept = make(job, status.update)
    record = kept.record
    if as_json:
        print(json.dumps({"path": str(kept.path), **asdict(record)}, indent=1))
        return
    print(
        f"{kept.path}\n"
        f"{record.metric} {record.export:.4f} after {record.source:.4f} of its source: {record.data}, "
        f"{record.images} images with {record.objects} objects\n"
        f"{record.speed:.2f} times as fast as without it: {record.export_ms:.1f} ms after "
        f"{record.plain_ms:.1f} ms"
    )
    if record.speed <= 1:
        print("It is no faster: the pipeline goes on without it, unless --runtime names it.")
    elif not record.tracking_passes:
        print(
            "It runs only where --runtime names it, until its tracks were compared: lazaretto evaluate forms "
            f"VIDEO --runtime {record.form} --imgsz {record.imgsz}"
        )


@app.command()
def train(
    name: Annotated[str, typer.Argument(help="person, face, mask or appearance")],
    data: Data,
    work: Work = Path("runs"),
) -> None:
    """Train weights by their recipe; after an interruption, the same command resumes from the last epoch."""
    from models.training import train as run_training

    print(run_training(name, data, work))


@app.command()
def evaluate(
    name: Annotated[
        str, typer.Argument(help="person, face, mask or appearance; selects the held-out images.")
    ],
    data: Data,
    weights: Annotated[
        str | None, typer.Option(help="Weights to measure; ours of that name by default.")
    ] = None,
    imgsz: Annotated[int, typer.Option(help="Longer side, px.")] = 640,
) -> None:
    """Measure weights on held-out images; prints JSON."""
    from models.evaluation import evaluate as measure

    print(json.dumps(asdict(measure(name, registry.resolve(weights or name), data, imgsz)), indent=1))


@app.command()
def publish(
    name: Annotated[str, typer.Argument(help="person, face, mask or appearance")],
    checkpoint: Annotated[Path, typer.Argument(help="The checkpoint that `train` printed.")],
) -> None:
    """Keep a checkpoint as the weights of a name in this checkout."""
    from models.publishing import publish as keep

    kept = keep(name, checkpoint)
    print(f"{kept.path}: {kept.path.stat().st_size} bytes, SHA-256 {kept.sha256}")
