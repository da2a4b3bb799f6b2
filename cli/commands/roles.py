"""`lazaretto roles`: teach the roles of a facility from clothing, and show what was learned."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.options import (
    AppearanceOption,
    DeviceOption,
    FpsOption,
    HomeOption,
    ImgszOption,
    JsonOption,
    PersonOption,
    SourceCameraOption,
    SourceFpsOption,
    SourcesArgument,
)
from cli.output import count_progress, print_json, print_line, warn
from cli.tables import role_model_table
from models.devices import Device
from pipelines.assignment import assign
from pipelines.home import Home
from pipelines.teaching.role_model import load_role_model
from review.role_page import role_page
from review.role_session import LabelSession
from vision.roles.crops import anonymised_jpeg
from vision.roles.model import HeldOut, RoleModel
from zones.facility import Role, load_facility

app = typer.Typer(
    help="Teach who is staff and who is resident from the clothes worn in a facility.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

FacilityOption = Annotated[str, typer.Option("--facility", help="The facility file (YAML).")]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Save a model that is wrong or silent too often, too.")
]


@app.command()
def label(
    sources: SourcesArgument,
    facility_file: FacilityOption,
    home: HomeOption = None,
    camera: SourceCameraOption = None,
    source_fps: SourceFpsOption = None,
    device: DeviceOption = "auto",
    fps: FpsOption = 5.0,
    imgsz: ImgszOption = 416,
    person: PersonOption = "person",
    appearance: AppearanceOption = "appearance",
    port: Annotated[int, typer.Option(help="Port of the page; 0 = any free one.", min=0, max=65535)] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    force: ForceOption = False,
) -> None:
    """Label groups of people from footage on a page on this machine, then train the role model."""
    from pipelines.teaching.teach import collect_crop_set  # torch is imported here, not for `--help`

    folder, facility = Home.choose(home), load_facility(facility_file)
    assigned = assign(sources, facility, camera)
    if assigned.faults:
        raise assigned.faults[0]
    for sentence in assigned.left_out:
        warn(sentence)
    folder.prepare()
    with count_progress("Tracking people") as progress:
        crop_set = collect_crop_set(
            assigned.footage,
            facility,
            Device.choose(device),
            fps=fps,
            imgsz=imgsz,
            person=person,
            appearance=appearance,
            source_fps=source_fps,
            progress=progress,
        )

    def save(labels: dict[int, Role]) -> HeldOut:
        stored = crop_set.train(folder, labels, force)
        _print_model(stored.path, stored.model)
        return stored.model.held_out

    tracks = crop_set.tracks
    session = LabelSession(tracks, crop_set.group(), crop_set.split)
    page = role_page(session, [anonymised_jpeg(crop) for _, crop in crop_set.crops], save, port)
    print(
        f"{len(tracks)} pictures of {len(set(tracks))} tracks. Press q on the page, or Ctrl+C here, to end:"
    )
    print(page.url, flush=True)
    if browser:
        webbrowser.open(page.url)
    page.run()


@app.command()
def train(
    labels: Annotated[Path, typer.Option(help="The labels file, JSON or CSV.")],
    facility_file: FacilityOption,
    home: HomeOption = None,
    device: DeviceOption = "auto",
    appearance: AppearanceOption = "appearance",
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train the role model from a labels file: a video, a frame or time, a box, a track and a role each."""
    from pipelines.teaching.teach import train_from_labels

    folder, facility = Home.choose(home), load_facility(facility_file)
    stored = train_from_labels(labels, folder, facility, Device.choose(device), appearance, force)
    if as_json:
        print_json({"path": str(stored.path), "held_out": stored.model.held_out.model_dump()})
    else:
        _print_model(stored.path, stored.model)


@app.command()
def show(
    facility_file: FacilityOption,
    home: HomeOption = None,
    roles: Annotated[
        str, typer.Option(help="Role model: auto (the home's own), ppe (general), or a file.")
    ] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Show what a role model was trained on, and how accurate it was on people held out."""
    stored = load_role_model(Home.choose(home), load_facility(facility_file), roles)
    if as_json:
        coefficients = {"mean", "scale", "coefficients", "intercepts", "centres", "spread"}
        print_json(stored.model.model_dump(mode="json", exclude=coefficients))
    else:
        _print_model(stored.path, stored.model)


@app.command()
def ppe(
    data: Annotated[Path, typer.Option(help="Folder with the public sources in data/.")],
    device: DeviceOption = "auto",
    appearance: AppearanceOption = "appearance",
    output: Annotated[Path | None, typer.Option(help="Write the model to this file.")] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Replace the model shipped with this checkout.")
    ] = False,
) -> None:
    """Train the general model of protective clothing, and print its figures as JSON."""
    from pipelines.teaching.teach import train_general

    with count_progress("Reading people") as progress:
        figures = train_general(
            data, Device.choose(device), appearance, output=output, publish=publish, progress=progress
        )
    print_json(figures)


def _print_model(path: Path, model: RoleModel) -> None:
    Console().print(role_model_table(path, model))
    held_out = model.held_out
    right = "none" if held_out.track_accuracy is None else f"{held_out.track_accuracy:.0%}"
    print_line(
        f"{held_out.tracks} tracks held out in {held_out.folds} folds: {held_out.tracks_unknown:.0%} left "
        f"unknown (confidence under {held_out.unknown_from:g}), {right} of the others right, "
        f"{held_out.tracks_wrong:.0%} of all given a wrong role. Crops: {held_out.crop_accuracy:.0%} right, "
        f"calibration error {held_out.calibration_error:.2f}. Made {model.made}."
    )
