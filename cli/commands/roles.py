"""`lazaretto roles`: teach a site's roles from what people wear there, and look at what was learned."""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from cli.options import HomeOption, JsonOption
from models import registry
from models.devices import Device
from pipelines.assignment import assign
from pipelines.home import Home
from pipelines.teaching import role_model
from pipelines.teaching.labels import Label, cut_labelled, read_labels
from review.role_page import role_page
from review.role_session import LabelSession
from vision.roles.crops import BodyCrop, anonymised_jpeg
from vision.roles.grouping import group_by_appearance, split_in_two
from vision.roles.model import HeldOut, RoleError, RoleModel, read_model
from vision.sources.files import FileSource
from zones.facility import Role, load_facility

if TYPE_CHECKING:
    from vision.roles.features import RoleFeatures

app = typer.Typer(
    help="Teach who is staff and who is resident from what they wear at this site.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

FacilityFlag = Annotated[str, typer.Option("--facility", help="The facility file (YAML).")]
DeviceFlag = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
AppearanceFlag = Annotated[str, typer.Option(help="Appearance weights: ours or a .pt file.")]


@app.command()
def label(
    sources: Annotated[list[str], typer.Argument(help="Video files or folders; or CAMERA=PATH.")],
    facility_file: FacilityFlag,
    home: HomeOption = None,
    camera: Annotated[str | None, typer.Option(help="The camera that all sources are of.")] = None,
    source_fps: Annotated[
        float | None, typer.Option(help="Frame rate, where the file's own is wrong.")
    ] = None,
    device: DeviceFlag = "auto",
    fps: Annotated[float, typer.Option(help="Frames analysed per second, at most.", min=0.5, max=30)] = 5.0,
    imgsz: Annotated[
        int, typer.Option(help="Longer side for person detection, px.", min=160, max=1920)
    ] = 416,
    person: Annotated[str, typer.Option(help="Person weights: ours or a .pt file.")] = "person",
    appearance: AppearanceFlag = "appearance",
    port: Annotated[int, typer.Option(help="Of the page; 0 = any free one.", min=0, max=65535)] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Group people in footage by appearance and name the groups, one key each, in a page on this machine."""
    from pipelines.teaching.crops import collect_crops
    from vision.perception import (  # torch is loaded here, not for `--help`
        ModelBundle,
        Models,
        PerceptionSettings,
    )

    place, facility = Home.choose(home), load_facility(facility_file)
    footage, faults = assign(sources, facility, camera)
    if faults:
        raise faults[0]
    place.prepare()
    chosen = Device.choose(device)
    features = _features(chosen, appearance)
    # Masks are of no interest here: one look at each head, the first, is the least there can be.
    settings = PerceptionSettings(fps=fps, imgsz=imgsz, mask_check_hz=1e-6)
    bundle = ModelBundle.load(chosen, settings, Models(person=person))
    with _progress_bar("Following people") as progress:
        found = collect_crops(
            footage, bundle, facility, source_fps, lambda _, done, total: progress(done, total)
        )
    if not found:
        raise RoleError(
            "expected footage with people large enough to judge by their clothes, got none: "
            "see that --imgsz suits the distance"
        )
    crops = [crop for _, crop in found]
    rows = features.read([(crop.image, crop.inside) for crop in crops])
    tracks = [crop.track for crop in crops]
    dimension = features.dimension_of_appearance

    def split(group: Sequence[str]) -> list[list[str]]:
        own = [n for n, track in enumerate(tracks) if track in group]
        return split_in_two(rows[own], [tracks[n] for n in own], dimension)

    def save(labels: dict[int, Role]) -> HeldOut:
        order = sorted(labels)
        roles = [labels[n] for n in order]
        model = role_model.train_role_model([crops[n] for n in order], roles, features, facility)
        places = [_label(*found[n], role, source_fps) for n, role in zip(order, roles, strict=True)]
        path = role_model.save_role_model(place, facility, model, places)
        _print(path, model)
        return model.held_out

    session = LabelSession(tracks, group_by_appearance(rows, tracks, dimension), split)
    page = role_page(session, [anonymised_jpeg(crop) for crop in crops], save, port)
    print(f"{len(crops)} pictures of {len(set(tracks))} tracks. The page, until its key q or Ctrl+C here:")
    print(page.url, flush=True)
    if browser:
        webbrowser.open(page.url)
    page.run()


@app.command()
def train(
    labels: Annotated[Path, typer.Option(help="Labels, JSON or CSV; the home keeps those of the page.")],
    facility_file: FacilityFlag,
    home: HomeOption = None,
    device: DeviceFlag = "auto",
    appearance: AppearanceFlag = "appearance",
    as_json: JsonOption = False,
) -> None:
    """Train from a labels file: per label a video, a frame or time, a box, a track and a role."""
    place, facility = Home.choose(home), load_facility(facility_file)
    wanted = read_labels(labels)
    place.prepare()
    found = cut_labelled(wanted, labels.parent, facility, place.path)
    model = role_model.train_role_model(
        [crop for _, crop in found],
        [item.role for item, _ in found],
        _features(Device.choose(device), appearance),
        facility,
    )
    absolute = [
        item.model_copy(update={"video": str((labels.parent / item.video).absolute())}) for item, _ in found
    ]
    path = role_model.save_role_model(place, facility, model, absolute)
    if as_json:
        print(json.dumps({"path": str(path), "held_out": model.held_out.model_dump()}, indent=1))
    else:
        _print(path, model)


@app.command()
def show(
    facility_file: FacilityFlag,
    home: HomeOption = None,
    roles: Annotated[str, typer.Option(help="auto, ppe, or the file of a role model.")] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Show what a facility's roles were learned from, and how good they were on people held out."""
    place, facility = Home.choose(home), load_facility(facility_file)
    weights = role_model.find_role_model(place, facility, roles)
    if weights is None:
        raise RoleError(
            f"expected a role model at {role_model.model_path(place, facility)}, found none: "
            "make one with lazaretto roles label"
        )
    model = read_model(weights.path)
    if as_json:
        hidden = {"mean", "scale", "coefficients", "intercepts", "centres", "spread"}
        print(model.model_dump_json(exclude=hidden, indent=1))
    else:
        _print(weights.path, model)


@app.command()
def ppe(
    data: Annotated[Path, typer.Option(help="Folder with data/ (the public sources).")],
    device: DeviceFlag = "auto",
    appearance: AppearanceFlag = "appearance",
    output: Annotated[Path | None, typer.Option(help="Write the model here.")] = None,
    publish: Annotated[bool, typer.Option("--publish", help="Keep it as ours in this checkout.")] = False,
) -> None:
    """Train the general model of protective clothing by its recipe; prints its figures as JSON."""
    from incidents.files import write_atomic
    from pipelines.teaching.ppe import train_general_model

    with _progress_bar("Reading people") as progress:
        model, figures = train_general_model(
            data / "data", _features(Device.choose(device), appearance), progress
        )
    if output is not None:
        write_atomic(output, model.to_json().encode())
    if publish:
        write_atomic(role_model.GENERAL_MODEL_FILE, model.to_json().encode())
    print(json.dumps({**figures, "cross-validation": model.held_out.model_dump()}, indent=1))


def _features(device: Device, appearance: str) -> RoleFeatures:
    from vision.appearance import AppearanceReader
    from vision.roles.features import RoleFeatures

    return RoleFeatures(AppearanceReader(registry.resolve(appearance), device))


def _label(source: FileSource, crop: BodyCrop, role: Role, source_fps: float | None) -> Label:
    x1, y1, x2, y2 = (round(v, 1) for v in crop.box)
    return Label(
        video=str(source.info.path.absolute()),
        track=crop.track,
        role=role,
        frame=crop.frame,
        box=(x1, y1, x2, y2),
        source_fps=source_fps,
    )


def _print(path: Path, model: RoleModel) -> None:
    held_out = model.held_out
    table = Table(title=f"Role model {path}", title_justify="left")
    for column in ("role", "crops", "tracks"):
        table.add_column(column, justify="left" if column == "role" else "right")
    for roles, count in zip(model.classes, model.counts, strict=True):
        table.add_row(" or ".join(roles), str(count.crops), str(count.tracks))
    console = Console()
    console.print(table)
    right = "none" if held_out.track_accuracy is None else f"{held_out.track_accuracy:.0%}"
    console.print(
        f"{held_out.tracks} tracks held out in {held_out.folds} folds: {held_out.tracks_unknown:.0%} left "
        f"unknown (confidence under {held_out.unknown_from:g}), {right} of the others right, "
        f"{held_out.tracks_wrong:.0%} of all given a wrong role. Crops: {held_out.crop_accuracy:.0%} right, "
        f"calibration error {held_out.calibration_error:.2f}. Made {model.made}.",
        highlight=False,
        soft_wrap=True,
    )


@contextmanager
def _progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)
