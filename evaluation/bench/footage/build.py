"""Building the sets of a benchmark from recordings: the yard, a quiet corridor, and 16 mixed cameras.

What is recorded and what is made: people, doors and empty moments are recorded where the recordings have
them; of the yard and the atrium, where people are always about, the empty picture is the median of the
recording. Sensor noise is added to every frame. Moments are joined by hard cuts, so that people appear and
vanish at once. The entrance crowd is not used: its picture is never empty, not even its median.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.bench.footage import encoding as files
from evaluation.bench.footage.encoding import MAIN_1080P, SUBSTREAM, Encoding, SensorNoise
from evaluation.bench.footage.scenes import (
    Piece,
    Scene,
    read_frames,
    render,
    scenes_of,
    source_frame,
    timeline,
)
from evaluation.bench.footage.truth import Entry, moved_tracks, reference_events, track_events
from evaluation.bench.sets import Bars, BenchSet, CameraEntry, Manifest, write_set
from evaluation.bench.video_files import frame_times
from evaluation.report import write_json
from incidents.files import write_atomic
from vision.frames import SECOND
from zones.facility import Camera, Facility, Identity, Place, Role, Rules, Zone, ZoneType

QUIET_S = 600.0
"""Seconds of the quiet corridor. Project default (docs/defaults.md)."""
QUIET_CYCLE_S = 150.0
"""Seconds from one walk through the quiet corridor to the next. Project default (docs/defaults.md)."""
MIXED_S = 90.0
"""Seconds of each mixed camera. Project default (docs/defaults.md)."""
MIXED_CAMERAS = 16
"""Mixed cameras. Project default (docs/defaults.md)."""
OCCUPIED = 0.3
"""Share of the time in which people are in view of a mixed camera. Project default (docs/defaults.md)."""
ORDER = ("room", "corridor", "yard", "room", "room", "corridor", "yard", "atrium")
"""Scenes of the mixed cameras, in turn, so that few cameras show as mixed a picture as all."""
FLOOR = "floor"
"""Zone of the cameras whose true events are facts: the whole picture, so that each person enters it once."""
PLACES = {
    "room": Place.OTHER_PUBLIC,
    "corridor": Place.CORRIDOR,
    "yard": Place.YARD,
    "atrium": Place.LOBBY,
}


@dataclass(frozen=True)
class BuildRequest:
    """What to build.

    Attributes:
        folder: where; each set in a folder of its own.
        media: the recordings, see `scenes_of`.
        yard: the sample facility's folder, with yard.mp4 and yard-grid.yaml; None = no yard.
        seconds: of each camera; None = as long as is meant.
        cameras: mixed cameras.
        reference: analyse the cameras whose true events are not known, at every frame and full scale.
    """

    folder: Path
    media: Path
    yard: Path | None = None
    seconds: float | None = None
    cameras: int = MIXED_CAMERAS
    reference: bool = True


def build(request: BuildRequest, announce: Callable[[str], None] = lambda _: None) -> list[BenchSet]:
    """Build all sets for which there are recordings.

    Args:
        request: what to build.
        announce: called with a sentence about each part that begins.

    Raises:
        LazarettoError: there are no recordings, or they cannot be read or written.
    """
    scenes = {scene.name: scene for scene in scenes_of(request.media)}
    made: list[BenchSet] = []
    if request.yard is not None and (request.yard / "yard.mp4").is_file():
        announce("yard")
        made.append(_yard(request.folder / "yard", request.yard, request.media / "pets2009" / "gt_mot.txt"))
    if "corridor" in scenes:
        made += _quiet(request, scenes["corridor"], announce)
    made.append(_mixed(request, scenes, announce))
    return made


def _yard(folder: Path, samples: Path, tracks: Path) -> BenchSet:
    folder.mkdir(parents=True, exist_ok=True)
    known = tracks.is_file()
    for path in (samples / "yard.mp4", samples / "yard-grid.yaml", *([tracks] if known else [])):
        shutil.copyfile(path, folder / path.name)
    camera = CameraEntry(id="yard", video="yard.mp4", truth="tracks" if known else None, occupied=1.0)
    manifest = Manifest(
        schema=1,
        name="yard",
        bars="busy",
        facility="yard-grid.yaml",
        tracks=tracks.name if known else None,
        cameras=(camera,),
    )
    return write_set(folder, manifest)


def _quiet(request: BuildRequest, scene: Scene, announce: Callable[[str], None]) -> list[BenchSet]:
    """The corridor at 1080p and as a substream: a walk and a moving door in every cycle, and silence."""
    seconds = QUIET_S if request.seconds is None else request.seconds
    sets = []
    # The bar of a quiet camera is one of 1080p: a substream is decoded so quickly that its times are stated.
    forms: list[tuple[str, Encoding, Bars | None]] = [
        ("corridor", MAIN_1080P, "quiet"),
        ("corridor-substream", SUBSTREAM, None),
    ]
    for name, encoding, bars in forms:
        announce(f"{name}: {seconds:g} s, {encoding.width} x {encoding.height}")
        folder = request.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        starts, occupied = _quiet_video(folder / "corridor.mp4", scene, seconds, encoding)
        events = {"corridor": [(at, FLOOR) for at in starts]}
        _write_facility(folder, name, [_camera("corridor", scene)])
        _write_events(folder, events)
        entry = CameraEntry(id="corridor", video="corridor.mp4", truth="facts", occupied=round(occupied, 3))
        sets.append(write_set(folder, _manifest(name, bars, [entry])))
    return sets


def _quiet_video(target: Path, scene: Scene, seconds: float, encoding: Encoding) -> tuple[list[float], float]:
    """Write the video of the quiet corridor; the seconds at which the walks begin, and the share occupied.

    Still moments are encoded twice, with different noise, and repeated: encoding ten minutes takes ten.
    """
    [(first, last)] = scene.presences
    assert scene.trap is not None and scene.empty is not None
    cycles = max(1, round(seconds / QUIET_CYCLE_S))
    busy = (last - first + 1 + scene.trap[1] - scene.trap[0] + 1) / scene.rate
    still = min(10.0, seconds / 10)
    stills = max(2, round((seconds / cycles - busy) / still))
    parts = {
        "walk": _moment(target, "walk", scene, (first, last), encoding),
        "door": _moment(target, "door", scene, scene.trap, encoding),
    }
    for seed in range(2):
        path = target.with_name(f".still-{seed}.mp4")
        frames = render(scene, [], still, encoding, seed)
        parts[f"still-{seed}"] = files.write_video(path, frames, encoding)
    before = (stills - 1) // 2
    order = ["still-0", "walk"]
    order += [f"still-{n % 2}" for n in range(before)] + ["door"]
    order += [f"still-{n % 2}" for n in range(stills - 1 - before)]
    files.join(target, [parts[name] for name in order * cycles], encoding.rate)
    lengths = {name: frame_times(path).duration / SECOND for name, path in parts.items()}
    starts, at = [], 0.0
    for name in order * cycles:
        if name == "walk":
            starts.append(at)
        at += lengths[name]
    for path in parts.values():
        path.unlink()
    return starts, cycles * lengths["walk"] / at


def _moment(target: Path, name: str, scene: Scene, span: tuple[int, int], encoding: Encoding) -> Path:
    piece = Piece(0, int((span[1] - span[0] + 1) * encoding.rate / scene.rate), span[0], True)
    noise = SensorNoise(encoding.width, encoding.height, 7)
    numbers = [source_frame(scene, piece, frame, encoding.rate) for frame in range(piece.frames)]

    # A main stream's moment is a gigabyte of pictures: they are read second by second.
    def images() -> Iterator[files.Image]:
        for at in range(0, len(numbers), encoding.rate):
            part = numbers[at : at + encoding.rate]
            read = read_frames(scene, set(part), encoding)
            yield from (noise(read[number]) for number in part)

    return files.write_video(target.with_name(f".{name}.mp4"), images(), encoding)


def _mixed(request: BuildRequest, scenes: dict[str, Scene], announce: Callable[[str], None]) -> BenchSet:
    seconds = MIXED_S if request.seconds is None else request.seconds
    folder = request.folder / "mixed"
    folder.mkdir(parents=True, exist_ok=True)
    order = [scenes[name] for name in ORDER if name in scenes]
    used: dict[str, int] = {}
    jobs: list[tuple[str, Scene, list[Piece]]] = []
    for number in range(request.cameras):
        scene = order[number % len(order)]
        of_scene = used[scene.name] = used.get(scene.name, 0) + 1
        pieces = timeline(scene, seconds, OCCUPIED, of_scene - 1, SUBSTREAM.rate)
        name = f"{scene.name}-{of_scene}"
        announce(f"mixed: camera {name}")
        video = folder / f"{name}.mp4"
        files.write_video(video, render(scene, pieces, seconds, SUBSTREAM, number), SUBSTREAM)
        jobs.append((name, scene, pieces))
    facility = _write_facility(folder, "mixed", [_camera(name, scene) for name, scene, _ in jobs])
    events: dict[str, Sequence[Entry]] = {}
    entries = []
    for name, scene, pieces in jobs:
        known = _events_of(request, scene, pieces, folder / f"{name}.mp4", facility, name, announce)
        if known is not None:
            events[name] = known
        frames = sum(piece.frames for piece in pieces if piece.occupied)
        occupied = round(frames / (seconds * SUBSTREAM.rate), 3)
        truth = None if known is None else scene.truth
        entries.append(CameraEntry(id=name, video=f"{name}.mp4", truth=truth, occupied=occupied))
    if events:
        _write_events(folder, events)
    return write_set(folder, _manifest("mixed", "many", entries, bool(events)))


def _events_of(
    request: BuildRequest,
    scene: Scene,
    pieces: Sequence[Piece],
    video: Path,
    facility: Facility,
    camera: str,
    announce: Callable[[str], None],
) -> Sequence[Entry] | None:
    """The true events of a mixed camera: seconds from its start, and the zone; None = not known."""
    if scene.truth == "facts":
        return [(piece.at / SUBSTREAM.rate, FLOOR) for piece in pieces if piece.occupied]
    if scene.truth == "tracks":
        tracks = request.media / "pets2009" / "gt_mot.txt"
        rows = moved_tracks(tracks, scene, pieces, SUBSTREAM)
        return track_events(rows, video, facility, camera)
    if not request.reference:
        return None
    announce(f"mixed: reference of camera {camera}, every frame at full scale")
    return reference_events(video, facility, camera)


def _camera(name: str, scene: Scene) -> Camera:
    """The camera of a scene: one zone over all the floor where the truth is facts, else six tiles."""
    if scene.truth == "facts":
        zones = [_zone(FLOOR, 0.0, 0.0, 1.0, 1.0)]
    else:
        columns, rows = np.linspace(0.05, 0.95, 4).round(3), np.linspace(0.2, 0.98, 3).round(3)
        zones = [
            _zone(f"tile-{r + 1}{c + 1}", columns[c], rows[r], columns[c + 1], rows[r + 1])
            for r in range(2)
            for c in range(3)
        ]
    return Camera(id=name, places=(PLACES[scene.name],), default_role=Role.RESIDENT, zones=tuple(zones))


def _zone(name: str, x1: float, y1: float, x2: float, y2: float) -> Zone:
    corners = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
    polygon = tuple((float(x), float(y)) for x, y in corners)
    return Zone(id=name, type=ZoneType.STAFF_ONLY, polygon=polygon)


def _write_facility(folder: Path, name: str, cameras: Sequence[Camera]) -> Facility:
    """Write the facility of a set. Each entry of a zone is an event: nothing is merged."""
    facility = Facility(
        facility=Identity(code=f"BENCH-{name.upper()}", name=f"Bench: {name}", managing_body="-"),
        cameras=tuple(cameras),
        rules=Rules(merge_s=0.0),
    )
    write_atomic(folder / "facility.yaml", facility.text.encode())
    return facility


def _write_events(folder: Path, events: Mapping[str, Sequence[Entry]]) -> None:
    cameras = [
        {
            "camera": camera,
            "events": [
                {"kind": "zone_crossing", "zone": zone, "start": round(at, 3)} for at, zone in entries
            ],
        }
        for camera, entries in events.items()
    ]
    write_json({"schema": 1, "kinds": ["zone_crossing"], "cameras": cameras}, folder / "events.json")


def _manifest(name: str, bars: Bars | None, cameras: Sequence[CameraEntry], events: bool = True) -> Manifest:
    return Manifest(
        schema=1,
        name=name,
        bars=bars,
        facility="facility.yaml",
        events="events.json" if events else None,
        cameras=tuple(cameras),
    )
