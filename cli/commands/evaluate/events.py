"""`lazaretto evaluate events`."""

from __future__ import annotations

from dataclasses import dataclass
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
from incidents.scoring import BIAS, TOLERANCE_S
from vision.frames import SECOND, from_iso, to_iso
from zones.errors import LazarettoError

if TYPE_CHECKING:
    from evaluation.events import Case, EventFigures
    from incidents.scoring import Alarm, Event
    from models.registry import Weights
    from vision.perception import ModelBundle
    from zones.facility import Camera, Facility

SHOWN = 30
"""Lines of a table of what went wrong; the JSON holds all."""
StartFlag = Annotated[str | None, typer.Option(help="When the video begins: 2026-11-24T08:00:00+07:00.")]


def events(
    video: Annotated[Path | None, typer.Argument(help="A video file; or --home.")] = None,
    facility: Annotated[str | None, typer.Option(help="The facility file (YAML), with a video.")] = None,
    camera: Annotated[str | None, typer.Option(help="The camera that the video is of.")] = None,
    truth_tracks: Annotated[
        Path | None,
        typer.Option(help="True tracks, MOT text: the events are what the rules say of them."),
    ] = None,
    events_file: Annotated[
        Path | None,
        typer.Option("--events", help="True events, JSON: see `lazaretto evaluate schema events`."),
    ] = None,
    home: Annotated[str | None, typer.Option(help="Score the incidents in this home's ledger.")] = None,
    tolerance: Annotated[
        float, typer.Option(help="Seconds after its start in which an event can be alarmed.", min=0, max=3600)
    ] = TOLERANCE_S,
    bias: Annotated[float, typer.Option(help="Recall bias a of F = (a+1)RP/(R+aP).", min=0, max=1000)] = BIAS,
    block: Annotated[float, typer.Option(help="Seconds of a block of time.", min=1, max=86_400)] = 10.0,
    start: StartFlag = None,
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
    """Recall, precision, F, delay and false alarms per camera-hour of whole events.

    Of a video, analysed now, against true tracks (--truth-tracks) or an events file (--events); or of the
    incidents in a ledger (--home) against an events file. The events file is {"schema": 1, "cameras":
    [{"camera": "corridor", "start": "2026-11-24T08:00:00+07:00", "until": "10:00", "events": [{"kind":
    "zone_crossing", "zone": "stairs", "start": "1:12"}]}]}; moments are seconds or "1:12" from `start` (of
    a video, from its first frame where `start` is left out), or times with an offset. An alarm counts from
    an event's start to start + tolerance, for the same kind, and zone where the event names one; a second
    alarm for the same event is a false alarm.
    """
    from evaluation import events as evaluation

    settings: dict[str, Any] = {"tolerance_s": tolerance, "bias": bias, "block_s": block}
    used: dict[str, Weights] = {}
    if home is not None:
        if video is not None or truth_tracks is not None or events_file is None:
            raise LazarettoError(
                "expected --events FILE beside --home, and neither a video nor --truth-tracks: "
                "the ledger has its incidents already"
            )
        case = _of_ledger(home, events_file)
        settings |= {"home": home, "events": str(events_file)}
    else:
        if video is None or facility is None or (truth_tracks is None) == (events_file is None):
            raise LazarettoError(
                "expected a VIDEO with --facility and either --truth-tracks or --events, "
                "or --home with --events"
            )
        footage = _Footage(video, *site(facility, camera), _moment(start), source_fps)
        case, bundle = _of_video(
            footage, truth_tracks, events_file, (fps, imgsz, device, (person, face, mask))
        )
        used = bundle.weights
        settings |= {
            **looked(bundle, source_fps),
            "video": str(video),
            "start": start,
            "facility": facility,
            "facility_version": footage.facility.version,
            "camera": footage.camera.id,
            "truth_tracks": str(truth_tracks) if truth_tracks else None,
            "events": str(events_file) if events_file else None,
        }
    found = evaluation.figures(
        case, tolerance=round(tolerance * SECOND), bias=bias, block_s=block, resamples=resamples, seed=seed
    )
    hours = found.kinds[evaluation.ALL].score.hours
    report = Report(
        question="events",
        settings=settings,
        weights=used,
        seed=seed,
        resamples=resamples,
        unit=f"block of {block:g} s",
        units=found.blocks,
        counts={
            "camera_hours": round(hours, 6),
            "events_not_watched": case.unwatched,
            "alarms_not_judged": found.outside,
            "kinds": {
                kind: {
                    "events": item.score.events,
                    "alarms": item.score.alarms,
                    "found": item.score.found,
                    "missed": item.score.events - item.score.found,
                    "false_alarms": item.score.alarms - item.score.found,
                    "duplicates": item.score.duplicates,
                }
                for kind, item in found.kinds.items()
            },
            "missed": [_named(item) for item in found.missed],
            "false_alarms": [_named(item) for item in found.false_alarms],
        },
        figures={
            kind: {
                "recall": item.recall,
                "precision": item.precision,
                "f": item.f,
                "false_alarms_per_camera_hour": item.false_alarms_per_hour,
                "median_delay_s": item.median_delay_s,
            }
            for kind, item in found.kinds.items()
        },
        notes=_notes(case, found),
    )
    emit(report, [_counted(found, hours), _rated(found, bias), *_wrong(found)], to)


def _counted(found: EventFigures, hours: float) -> Table:
    title = f"Events in {hours:.2f} camera-hours"
    made = table(
        title, "kind", "events", "alarms", "found", "missed", "false alarms", "duplicates among them"
    )
    for kind, item in found.kinds.items():
        it = item.score
        row = (it.events, it.alarms, it.found, it.events - it.found, it.alarms - it.found, it.duplicates)
        made.add_row(kind.replace("_", " "), *map(str, row))
    return made


def _rated(found: EventFigures, bias: float) -> Table:
    columns = ("recall", "precision", f"F (a = {bias:g})", "false alarms per camera-hour", "median delay s")
    made = table("How well they are alarmed", "kind", *columns)
    for kind, item in found.kinds.items():
        made.add_row(
            kind.replace("_", " "),
            cell(item.recall),
            cell(item.precision),
            cell(item.f),
            cell(item.false_alarms_per_hour, 1),
            cell(item.median_delay_s, 1),
        )
    return made


def _named(item: Event | Alarm) -> dict[str, str | None]:
    return {"camera": item.camera, "kind": item.kind, "zone": item.zone, "start": to_iso(item.start)}


def _wrong(found: EventFigures) -> list[Table]:
    """What to look at: the events missed and the false alarms, the first of them if there are many."""
    rows = [("missed", item) for item in found.missed] + [("false alarm", a) for a in found.false_alarms]
    if not rows:
        return []
    title = "What went wrong" + (f", the first {SHOWN} of {len(rows)}" if len(rows) > SHOWN else "")
    made = table(title, "")
    for column in ("start (UTC)", "camera", "kind", "zone"):
        made.add_column(column, no_wrap=True)
    for word, item in rows[:SHOWN]:
        made.add_row(word, to_iso(item.start)[:19], item.camera, item.kind.replace("_", " "), item.zone or "")
    return [made]


def _notes(case: Case, found: EventFigures) -> tuple[str, ...]:
    notes = list(case.notes)
    if case.unwatched:
        notes.append(f"{case.unwatched} true events began while nothing was analysed: left out")
    if found.outside:
        notes.append(f"{found.outside} alarms outside the time of which the truth is known: not judged")
    return tuple(notes)


@dataclass(frozen=True)
class _Footage:
    """A video, whose it is, and when."""

    video: Path
    facility: Facility
    camera: Camera
    start: int | None
    source_fps: float | None


def _of_video(
    footage: _Footage,
    truth_tracks: Path | None,
    events_file: Path | None,
    how: tuple[float, int, str, tuple[str, str, str]],
) -> tuple[Case, ModelBundle]:
    """Read the truth before the models are loaded: a slip in it is told at once."""
    from evaluation import events as evaluation
    from evaluation.formats import read_mot
    from evaluation.truth import read_events
    from pipelines.observe_footage import observe_footage

    true = read_mot(truth_tracks) if truth_tracks else None
    told = read_events(events_file) if events_file else None
    if told is not None:
        evaluation.of_camera(told, footage.camera.id)
    bundle = open_eyes(*how)
    with progress_bar("video") as progress:
        observed = observe_footage(
            footage.video,
            bundle,
            footage.camera,
            start=footage.start,
            source_fps=footage.source_fps,
            timezone=footage.facility.timezone,
            progress=progress,
        )
    if true is not None:
        return evaluation.case_of_tracks(observed, true, footage.facility, footage.camera), bundle
    assert told is not None
    return evaluation.case_of_video(observed, told, footage.facility, footage.camera), bundle


def _of_ledger(home: str, events_file: Path) -> Case:
    from evaluation.events import case_of_ledger
    from evaluation.truth import read_events
    from incidents.ledger import Ledger
    from pipelines.home import Home

    told = read_events(events_file)
    with Ledger.open(Home.choose(home).ledger, create=False) as ledger:
        return case_of_ledger(ledger, told)


def _moment(text: str | None) -> int | None:
    try:
        return None if text is None else from_iso(text)
    except ValueError as error:
        raise LazarettoError(f"--start: {error}") from None
