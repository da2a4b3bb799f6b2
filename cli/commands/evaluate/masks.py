"""`lazaretto evaluate masks`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cli.commands.evaluate.options import (
    DeviceFlag,
    Face,
    Fps,
    ImgSz,
    JsonFlag,
    Mask,
    Person,
    ResamplesFlag,
    SeedFlag,
    SourceFps,
    emit,
    looked,
    open_eyes,
    progress_bar,
    site,
    table,
)
from evaluation.bootstrap import RESAMPLES, SEED
from evaluation.report import Report, cell

if TYPE_CHECKING:
    from evaluation.masks import MaskFigures, Outcome


def masks(
    clips: Annotated[list[Path], typer.Argument(help="Video files.")],
    truth: Annotated[
        Path, typer.Option(help="True states of masks, JSON: see `lazaretto evaluate schema masks`.")
    ],
    facility: Annotated[str | None, typer.Option(help="A facility file, for its thresholds.")] = None,
    camera: Annotated[str | None, typer.Option(help="The camera that the clips are of.")] = None,
    source_fps: SourceFps = None,
    fps: Fps = 5.0,
    imgsz: ImgSz = 416,
    device: DeviceFlag = "auto",
    person: Person = "person",
    face: Face = "face",
    mask: Mask = "mask",
    resamples: ResamplesFlag = RESAMPLES,
    seed: SeedFlag = SEED,
    to: JsonFlag = None,
) -> None:
    """Masked, unmasked, incorrect or not assessed: what is decided of each person, against the truth.

    Decided by the rule where it raises an incident, else by the majority of the looks at the face. The
    truth file is {"schema": 1, "clips": [{"clip": "lobby.mp4", "people": [{"state": "masked"}]}]}; where
    a clip shows others too, "from", "until" (seconds or "1:12") and "box" (shares of the frame) say who is
    meant.
    """
    from evaluation import masks as evaluation
    from evaluation.formats import TruthError
    from evaluation.truth import read_masks
    from pipelines.observe_footage import observe_footage

    told = {item.clip: item for item in read_masks(truth).clips}
    if missing := next((clip for clip in clips if clip.name not in told), None):
        raise TruthError(f"{truth}: expected the truth of {missing.name}, got {', '.join(told)}")
    where_from, where = site(facility, camera)
    bundle = open_eyes(fps, imgsz, device, (person, face, mask))
    results: list[evaluation.ClipOutcome] = []
    for clip in clips:
        with progress_bar(clip.name) as progress:
            observed = observe_footage(clip, bundle, where, start=0, source_fps=source_fps, progress=progress)
        results.append(evaluation.compare(observed, told[clip.name], where_from, where))
    people = [person for result in results for person in result.people]
    found = evaluation.figures(people, resamples, seed)
    fragments = sum(item.fragments for item in results)
    others = sum(item.others for item in results)
    report = Report(
        question="masks",
        settings={
            **looked(bundle, source_fps),
            "clips": [str(clip) for clip in clips],
            "truth": str(truth),
            "facility": facility,
            "facility_version": where_from.version,
            "camera": where.id,
        },
        weights=bundle.weights,
        seed=seed,
        resamples=resamples,
        unit="person",
        units=len(people),
        counts={
            "people": len(people),
            "fragments": fragments,
            "others": others,
            "confusion": found.confusion,
            "decisions": [_decision(item) for item in people],
        },
        figures={
            "accuracy": found.accuracy,
            "coverage": found.coverage,
            "recall": found.recall,
            "precision": found.precision,
        },
        notes=(f"{fragments} further tracks of these people, {others} of people not in the truth",),
    )
    emit(report, [_people(people), _confusion(found), _overall(found, len(people), len(clips))], to)


def _decision(item: Outcome) -> dict[str, Any]:
    by = item.decision
    return {
        "clip": item.clip,
        "truth": item.truth,
        "decided": item.decided,
        "followed": by is not None,
        "by": by.by if by else "nothing",
        "looks": by.looks if by else 0,
        "votes": dict(by.votes) if by else {},
    }


def _people(people: Sequence[Outcome]) -> Table:
    made = table("Person by person", "clip", "truth", "decided", "by", "looks at the face", "of which said")
    for item in people:
        row = _decision(item)
        said = ", ".join(f"{state} {n}" for state, n in row["votes"].items() if n)
        said = said or ("nothing" if row["followed"] else "not followed")
        made.add_row(item.clip, item.truth, item.decided, row["by"], str(row["looks"]), said)
    return made


def _confusion(found: MaskFigures) -> Table:
    made = table("People by truth (rows) and decision (columns)", "")
    for word in (*found.confusion["masked"], "recall", "precision"):
        made.add_column(word, justify="right", no_wrap=True)
    for state, row in found.confusion.items():
        counts = (str(count) for count in row.values())
        made.add_row(state, *counts, cell(found.recall[state]), cell(found.precision[state]))
    return made


def _overall(found: MaskFigures, people: int, clips: int) -> Table:
    made = table(f"Masks of {people} people in {clips} clips", "figure", "value")
    made.add_row("accuracy (right of assessed)", cell(found.accuracy))
    made.add_row("coverage (assessed of all)", cell(found.coverage))
    return made
