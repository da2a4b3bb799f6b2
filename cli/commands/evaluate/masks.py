"""`lazaretto evaluate masks`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cli.commands.evaluate.options import (
    DeviceOption,
    FaceOption,
    FpsOption,
    ImgszOption,
    MaskOption,
    OutputOption,
    PersonOption,
    ResamplesOption,
    SeedOption,
    SourceFpsOption,
    print_report,
    progress_bar,
    table,
)
from cli.options import JsonOption
from evaluation.bootstrap import RESAMPLES, SEED
from evaluation.report import estimate_text

if TYPE_CHECKING:
    from evaluation.masks import MaskAccuracy, Outcome


def masks(
    clips: Annotated[list[Path], typer.Argument(help="Video files.")],
    truth: Annotated[
        Path, typer.Option(help="True mask states, JSON: see `lazaretto evaluate schema masks`.")
    ],
    facility: Annotated[str | None, typer.Option(help="Facility file, for its thresholds.")] = None,
    camera: Annotated[str | None, typer.Option(help="Id of the camera of the clips.")] = None,
    source_fps: SourceFpsOption = None,
    fps: FpsOption = 5.0,
    imgsz: ImgszOption = 416,
    device: DeviceOption = "auto",
    person: PersonOption = "person",
    face: FaceOption = "face",
    mask: MaskOption = "mask",
    resamples: ResamplesOption = RESAMPLES,
    seed: SeedOption = SEED,
    as_json: JsonOption = False,
    output: OutputOption = None,
) -> None:
    """Measure how well masked, unmasked, incorrect or not assessed is decided of each person.

    The state of a person is that of the incident if the mask rule raises one, else the majority of the
    samples of the face. The truth file is {"schema": 1, "clips": [{"clip": "lobby.mp4", "people": [{"state":
    "masked"}]}]}. If a clip shows others too, "from", "until" (seconds or "1:12") and "box" (shares of the
    frame) say where the person is. The bootstrap resamples people.
    """
    from evaluation.masks import MasksRequest, evaluate_masks
    from evaluation.setup import PerceptionRequest
    from vision.networks import Models

    perception = PerceptionRequest(fps, imgsz, device, Models(person, face, mask), source_fps)
    request = MasksRequest(clips, truth, facility, camera, perception, resamples, seed)
    result = evaluate_masks(request, progress_bar)
    tables = [
        _people_table(result.people),
        _confusion_table(result.accuracy),
        _overall_table(result.accuracy, len(result.people), result.clips),
    ]
    print_report(result.report, tables, as_json, output)


def _people_table(people: Sequence[Outcome]) -> Table:
    made = table("Person by person", "clip", "truth", "decided", "by", "samples of the face", "states")
    for outcome in people:
        decision = outcome.decision
        if decision is None:
            made.add_row(outcome.clip, outcome.truth, outcome.decided, "nothing", "0", "not tracked")
            continue
        states = ", ".join(f"{state} {n}" for state, n in decision.votes.items() if n) or "none assessed"
        made.add_row(outcome.clip, outcome.truth, outcome.decided, decision.by, str(decision.samples), states)
    return made


def _confusion_table(accuracy: MaskAccuracy) -> Table:
    made = table("People by truth (rows) and decision (columns)", "")
    for word in (*accuracy.confusion["masked"], "recall", "precision"):
        made.add_column(word, justify="right", overflow="fold")
    for state, row in accuracy.confusion.items():
        counts = (str(count) for count in row.values())
        made.add_row(
            state, *counts, estimate_text(accuracy.recall[state]), estimate_text(accuracy.precision[state])
        )
    return made


def _overall_table(accuracy: MaskAccuracy, people: int, clips: int) -> Table:
    made = table(f"Masks of {people} people in {clips} clips", "measure", "value")
    made.add_row("accuracy (correct among assessed)", estimate_text(accuracy.accuracy))
    made.add_row("coverage (assessed among all)", estimate_text(accuracy.coverage))
    return made
