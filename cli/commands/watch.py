"""`lazaretto watch`: find incidents in live cameras."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.interruption import stopping
from cli.logs import LogFormat, log_to_standard_error
from cli.options import (
    AppearanceOption,
    CamerasOption,
    DeviceOption,
    FaceOption,
    FpsOption,
    GateOption,
    HomeOption,
    ImgszOption,
    MaskOption,
    OnOff,
    PersonOption,
    PixelsOption,
    RolesOption,
    RuntimeOption,
)
from pipelines.home import Home
from pipelines.publish import facility_in_force
from vision.clock import Stop, SystemClock
from vision.notices import Level
from zones.errors import LazarettoError
from zones.facility import load_facility

if TYPE_CHECKING:
    from pipelines.watch.footage.retention import RetentionSettings

OFF = "off"


def watch(
    facility_file: Annotated[
        str | None,
        typer.Option("--facility", help="The facility file (YAML) [the one in force in the home]."),
    ] = None,
    camera: CamerasOption = None,
    home: HomeOption = None,
    ring: Annotated[
        str | None,
        typer.Option(help="Folder of the footage ring; it may be in memory [footage/ in the home]."),
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Record continuously, as long as the disk has room.")
    ] = False,
    record_days: Annotated[
        float | None, typer.Option(help="With --record: delete recordings that are older.", min=0.01)
    ] = None,
    record_gb: Annotated[
        float | None, typer.Option(help="With --record: delete the oldest beyond this size.", min=0.1)
    ] = None,
    udp: Annotated[bool, typer.Option("--udp", help="Ask RTSP cameras for UDP instead of TCP.")] = False,
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    fps: FpsOption = 5.0,
    imgsz: ImgszOption = 416,
    gate: GateOption = OnOff.ON,
    pixels_per_second: PixelsOption = 1.25,
    person: PersonOption = "person",
    face: FaceOption = "face",
    mask: MaskOption = "mask",
    roles: RolesOption = "auto",
    appearance: AppearanceOption = "appearance",
    health: Annotated[
        str,
        typer.Option(help="HOST:PORT for /healthz, /status and /metrics (Prometheus), or off."),
    ] = "127.0.0.1:9464",
    log_format: Annotated[
        LogFormat, typer.Option(help="text, or json: an object per line.")
    ] = LogFormat.TEXT,
) -> None:
    """Watch the live cameras of a facility, until Ctrl-C or SIGTERM."""
    log_to_standard_error(log_format)
    from pipelines.watch.checks import check_request
    from pipelines.watch.monitoring import MonitoringServer
    from pipelines.watch.request import WatchRequest
    from vision.live.address import Transport
    from vision.live.camera import preload_readers

    folder = Home.choose(home)
    facility = facility_in_force(folder) if facility_file is None else load_facility(facility_file)
    request = WatchRequest(
        facility,
        folder,
        tuple(camera or ()),
        Transport.UDP if udp else Transport.TCP,
        None if ring is None else Path(ring),
        _retention(record, record_days, record_gb),
    )
    cameras = check_request(request, SystemClock().now())
    server = None if health == OFF else MonitoringServer(health, lambda: live.status())

    preload_readers()
    # These load networks' libraries, which takes long: what can be refused is refused before.
    from models.devices import Device, streams_for
    from pipelines.teaching.role_model import find_role_model
    from pipelines.watch.watch import Watch
    from vision.gate.planner import GateSettings
    from vision.networks import ModelBundle, Models, PerceptionSettings

    role_weights = find_role_model(folder, facility, roles)
    settings = PerceptionSettings(
        fps=fps, imgsz=imgsz, gate=GateSettings(gate is OnOff.ON, pixels_per_second * 1e6)
    )
    bundle = ModelBundle.load(
        Device.choose(device, runtime, streams_for(cameras)),
        settings,
        Models(person, face, mask, appearance, role_weights),
    )
    bundle.warm_up()
    logger = logging.getLogger("lazaretto.watch")

    def notice(name: str, text: str, level: Level = Level.WARNING, /) -> None:
        logger.log(level, text, extra={"camera": name})

    stop = Stop()
    live = Watch(request, bundle, notice)
    with stopping(stop):
        live.run(stop, lambda: server or nullcontext())


def _retention(record: bool, days: float | None, gigabytes: float | None) -> RetentionSettings:
    from pipelines.watch.footage.retention import RetentionSettings

    if not record and (days is not None or gigabytes is not None):
        raise LazarettoError("expected --record with --record-days or --record-gb, got none")
    return RetentionSettings(
        continuous=record,
        max_age_s=None if days is None else days * 86_400,
        max_bytes=None if gigabytes is None else round(gigabytes * 1e9),
    )
