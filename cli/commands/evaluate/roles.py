"""`lazaretto evaluate roles`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.commands.evaluate.options import DeviceFlag, SeedFlag, SourceFps, progress_bar
from models import registry
from models.devices import Device


def roles(
    video: Annotated[Path, typer.Argument(help="A video file.")],
    truth: Annotated[Path, typer.Option(help="True tracks, MOT text; frame 1 is the first of the video.")],
    wearers: Annotated[Path, typer.Option(help="CSV: track, person, and the role of what is worn.")],
    per_role: Annotated[int, typer.Option(help="Crops labelled of each role.", min=2)] = 20,
    tracks: Annotated[int, typer.Option(help="Tracks that they are of.", min=2)] = 3,
    draws: Annotated[int, typer.Option(help="How often to draw which are labelled.", min=1)] = 200,
    source_fps: SourceFps = None,
    device: DeviceFlag = "auto",
    appearance: Annotated[str, typer.Option(help="Appearance weights.")] = "appearance",
    seed: SeedFlag = 0,
) -> None:
    """How well other tracks are told after a few labels of some, without any zone to help; prints JSON."""
    from evaluation.formats import read_mot
    from evaluation.roles import measure, read_crops, read_wearers
    from vision.appearance import AppearanceReader
    from vision.roles.features import RoleFeatures

    worn, true = read_wearers(wearers), read_mot(truth)
    features = RoleFeatures(AppearanceReader(registry.resolve(appearance), Device.choose(device)))
    with progress_bar("video") as progress:
        read = read_crops(video, true, worn, features, source_fps, progress)
    with progress_bar("draws") as progress:
        found = measure(
            read, worn, features, per_role=per_role, tracks=tracks, draws=draws, seed=seed, progress=progress
        )
    asked = {"per_role": per_role, "tracks": tracks, "crops": len(read.owner), "seed": seed}
    print(json.dumps({**asked, "appearance": features.identity.appearance, **found}, indent=1))
