"""Cameras of a benchmark set as a facility whose cameras are streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from evaluation.bench.sets import BenchCamera, BenchSet
from evaluation.bench.video_files import frame_times
from evaluation.streaming import ServerProcess


@dataclass(frozen=True)
class LiveSite:
    """Cameras that are served.

    Attributes:
        facility: the facility file, whose cameras have the addresses of the server.
        cameras: the served cameras of the set, by id in the facility file.
        server: serves them, from a process of its own.
    """

    facility: Path
    cameras: Mapping[str, BenchCamera]
    server: ServerProcess


@contextmanager
def served(bench: BenchSet, count: int, folder: Path) -> Iterator[LiveSite]:
    """Serve `count` cameras of a set, for ever.

    Where the set has fewer, its cameras are served again under further names, each time from another
    moment of their footage on.

    Args:
        bench: the set.
        count: number of cameras.
        folder: where the facility file is written.

    Raises:
        LazarettoError: a file of the set cannot be served.
    """
    cameras: dict[str, BenchCamera] = {}
    mounts: dict[str, dict[str, Any]] = {}
    rounds = -(-count // len(bench.cameras))
    for number in range(count):
        turn, place = divmod(number, len(bench.cameras))
        camera = bench.cameras[place]
        name = camera.id if turn == 0 else f"{camera.id}-again-{turn}"
        start_s = frame_times(camera.video).duration / 1e6 * turn / rounds
        cameras[name] = camera
        mounts[f"/{name}"] = {"media": str(camera.video), "start_s": start_s}
    with ServerProcess(mounts) as server:
        facility = folder / "facility.yaml"
        _write_facility(bench.facility, cameras, server, facility)
        yield LiveSite(facility, cameras, server)


def _write_facility(
    source: Path, cameras: Mapping[str, BenchCamera], server: ServerProcess, target: Path
) -> None:
    yaml = YAML(typ="safe")
    document = yaml.load(source)
    by_id = {camera["id"]: camera for camera in document["cameras"]}
    document["cameras"] = [
        {**by_id[camera.id], "id": name, "source": server.url(name)} for name, camera in cameras.items()
    ]
    with target.open("w", encoding="utf-8") as file:
        yaml.dump(document, file)
