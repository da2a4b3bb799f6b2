"""`lazaretto evaluate events`."""

from __future__ import annotations

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
from cli.options import GateOption, JsonOption, OnOff, read_time
from evaluation.bootstrap import RESAMPLES, SEED
from evaluation.report import estimate_text
from incidents.scoring import BIAS, TOLERANCE_S
from pipelines.home import Home
from vision.frames import to_iso
from zones.errors import LazarettoError

if TYPE_CHECKING:
    from evaluation.events.estimates import EventAccuracy
    from incidents.scoring import Alarm, Event

MAX_MISTAKE_ROWS = 30
"""Rows of the table of mistakes, at most; the JSON holds all."""


def events(
    video: Annotated[Path | None, typer.Argument(help="A video file; or --home.")] = None,
    facility: Annotated[str | None, typer.Option(help="The facility file (YAML), with a video.")] = None,
    camera: Annotated[str | None, typer.Option(help="Id of the camera of the video.")] = None,
    truth_tracks: Annotated[
        Path | None,
        typer.Option(help="True tracks, MOT text: the true events are what the rules find in them."),
    ] = None,
    events_file: Annotated[
        Path | None,
        typer.Option("--events", help="True events, JSON: see `lazaretto evaluate schema events`."),
    ] = None,
    home: Annotated[
        str | None, typer.Option(help="Score the incidents in the ledger of this home folder.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="Seconds after its start in which an event can be alarmed.", min=0, max=3600)
    ] = TOLERANCE_S,
    bias: Annotated[float, typer.Option(help="Recall bias a of F = (a+1)RP/(R+aP).", min=0, max=1000)] = BIAS,
    block: Annotated[
        float, typer.Option(help="Seconds of a block of the bootstrap.", min=1, max=86_400)
    ] = 10.0,
    start: Annotated[
        str | None, typer.Option(help="Start of the video, such as 2026-11-24T08:00:00+07:00.")
    ] = None,
    source_fps: SourceFpsOption = None,
    fps: FpsOption = 5.0,
    imgsz: ImgszOption = 416,
    gate: GateOption = OnOff.ON,
    device: DeviceOption = "auto",
    person: PersonOption = "person",
    face: FaceOption = "face",
    mask: MaskOption = "mask",
    resamples: ResamplesOption = RESAMPLES,
    seed: SeedOption = SEED,
    as_json: JsonOption = False,
    output: OutputOption = None,
) -> None:
    """Measure recall, precision, F, delay and false alarms per camera-hour of whole events.

    Either of a video, analysed now, against true tracks (--truth-tracks) or an events file (--events); or of
    the incidents in a ledger (--home) against an events file. The events file is {"schema": 1, "cameras":
    [{"camera": "corridor", "start": "2026-11-24T08:00:00+07:00", "until": "10:00", "events": [{"kind":
    "zone_crossing", "zone": "stairs", "start": "1:12"}]}]}. Moments are seconds or "1:12" from `start` (of
    a video, from its first frame if `start` is left out), or times with an offset. An alarm finds an event
    of its kind (and of its zone, if the event names one) between the event's start and start + tolerance. A
    second alarm for the same event is a false alarm. The bootstrap resamples blocks of time.
    """
    from evaluation.events.evaluate import (
        LedgerEventsRequest,
        ScoringOptions,
        VideoEventsRequest,
        evaluate_ledger_events,
        evaluate_video_events,
    )
    from evaluation.setup import PerceptionRequest
    from vision.networks import Models

    scoring = ScoringOptions(tolerance, bias, block, resamples, seed)
    if home is not None:
        if video is not None or truth_tracks is not None or events_file is None:
            raise LazarettoError(
                "expected --events FILE beside --home, and neither a video nor --truth-tracks: "
                "the incidents are in the ledger already"
            )
        result = evaluate_ledger_events(LedgerEventsRequest(Home.choose(home), events_file, scoring))
    else:
        truth = truth_tracks or events_file
        if video is None or facility is None or truth is None or (truth_tracks and events_file):
            raise LazarettoError(
                "expected a VIDEO with --facility and either --truth-tracks or --events, "
                "or --home with --events"
            )
        request = VideoEventsRequest(
            video=video,
            facility=facility,
            truth=truth,
            truth_is_tracks=truth_tracks is not None,
            camera=camera,
            start=read_time("--start", start),
            perception=PerceptionRequest(
                fps, imgsz, device, Models(person, face, mask), source_fps, gate is OnOff.ON
            ),
            scoring=scoring,
        )
        result = evaluate_video_events(request, progress_bar)
    accuracy = result.accuracy
    tables = [_count_table(accuracy), _estimate_table(accuracy, bias), *_mistake_tables(accuracy)]
    print_report(result.report, tables, as_json, output)


def _count_table(accuracy: EventAccuracy) -> Table:
    from evaluation.events.estimates import ALL

    made = table(
        f"Events in {accuracy.kinds[ALL].score.hours:.2f} camera-hours",
        *("kind", "events", "alarms", "found", "missed", "false alarms", "duplicates among them"),
    )
    for kind, item in accuracy.kinds.items():
        score = item.score
        row = (
            *(score.events, score.alarms, score.found),
            *(score.events - score.found, score.alarms - score.found, score.duplicates),
        )
        made.add_row(kind.replace("_", " "), *map(str, row))
    return made


def _estimate_table(accuracy: EventAccuracy, bias: float) -> Table:
    columns = ("recall", "precision", f"F (a = {bias:g})", "false alarms per camera-hour", "median delay s")
    made = table("Accuracy of the alarms", "kind", *columns)
    for kind, item in accuracy.kinds.items():
        made.add_row(
            kind.replace("_", " "),
            estimate_text(item.recall),
            estimate_text(item.precision),
            estimate_text(item.f),
            estimate_text(item.false_alarms_per_hour, 1),
            estimate_text(item.median_delay_s, 1),
        )
    return made


def _mistake_tables(accuracy: EventAccuracy) -> list[Table]:
    """The missed events and the false alarms, the first of them if there are many; no table without any."""
    rows: list[tuple[str, Event | Alarm]] = [("missed", item) for item in accuracy.missed]
    rows += [("false alarm", item) for item in accuracy.false_alarms]
    if not rows:
        return []
    more = f", the first {MAX_MISTAKE_ROWS} of {len(rows)}" if len(rows) > MAX_MISTAKE_ROWS else ""
    made = table(f"Missed events and false alarms{more}", "")
    for column in ("start (UTC)", "camera", "kind", "zone"):
        made.add_column(column, overflow="fold")
    for word, item in rows[:MAX_MISTAKE_ROWS]:
        made.add_row(word, to_iso(item.start)[:19], item.camera, item.kind.replace("_", " "), item.zone or "")
    return [made]
