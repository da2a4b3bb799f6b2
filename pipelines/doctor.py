"""Whether a box can watch: the machine, the programs, the home, the clock and the cameras."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
import resource
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from incidents.ledger import Ledger
from incidents.rules.preparing import is_prepared
from models import registry
from models.devices import Device
from models.errors import ModelError
from models.exports import store
from pipelines.camera_check import CameraTest, CameraToTest, cameras_to_test, check_cameras
from pipelines.findings import CheckFinding, Level
from pipelines.home import Home
from pipelines.notifications.configuration import CONFIGURATION, load_configuration
from pipelines.publish import facility_in_force
from pipelines.watch.at_work import WatchAtWork, watches_at_work
from pipelines.wording import counted
from vision.frames import SECOND
from vision.live.ring.files import cameras_of, ring_files
from vision.live.ring.writer import RingSettings, room_on
from zones.checking import FRAME_ASPECT, Severity, check_facility
from zones.errors import LazarettoError
from zones.facility import Facility, load_facility

LEAST_CORES = 2
"""Fewer cores are a warning. Project default (docs/defaults.md)."""
LEAST_MEMORY = 2_000_000_000
"""Less available memory is a warning, bytes: the networks, then about a tenth of it for each camera. Project
default (docs/defaults.md)."""
CAMERA_MEMORY = 200_000_000
"""Memory that is reckoned for each camera, bytes: its reader and what waits. Project default
(docs/defaults.md)."""
BASE_FILES, CAMERA_FILES = 256, 32
"""Open files that are reckoned for the program, and for each camera."""
LEAST_SHARED_MEMORY = 64_000_000
"""Less shared memory (/dev/shm) is a warning, bytes: what containers have by default. Project default
(docs/defaults.md)."""
LEAST_DAYS = 3.0
"""Days of footage for which a disk has room; fewer are a warning. Project default (docs/defaults.md)."""
RATE_FILES = 60
"""Last files of a camera in the ring from which its rate is taken."""
PACKAGES = ("av", "numpy", "openvino", "polars", "torch", "ultralytics")
_TIMEX_BYTES = 512  # More than struct timex has (man 2 adjtimex).
_TIME_ERROR = 5


@dataclass(frozen=True)
class DoctorRequest:
    """What is looked at.

    Attributes:
        home: the home.
        facility: path of the facility file; None = the one in force in the home.
        cameras: whether each camera is tested.
        seconds: for how long.
    """

    home: Home
    facility: str | None = None
    cameras: bool = False
    seconds: float = 5.0


def examine(request: DoctorRequest) -> list[CheckFinding]:
    """Look at everything; what cannot be looked at is a finding, too."""
    facility, of_facility = _facility(request)
    cameras = _cameras(facility)
    tests: list[CameraTest] = []
    if request.cameras and cameras:
        tests = check_cameras(cameras, request.seconds)
    found = [*_machine(len(cameras)), *_networks(), _rules(), _versions()]
    found += [_home(request.home), _ledger(request.home), _disk(request.home, tests)]
    found += [_clock(), _notifications(request.home), *of_facility, *_watches(request.home)]
    found += [_open_files(len(cameras)), _shared_memory()]
    found += [finding for test in tests for finding in test.findings]
    if request.cameras and not cameras and facility is not None:
        found.append(_warning("cameras", "no camera has a source, so none was tested", "Give them sources."))
    return found


def _ok(subject: str, text: str) -> CheckFinding:
    return CheckFinding(Level.OK, subject, text)


def _warning(subject: str, text: str, advice: str) -> CheckFinding:
    return CheckFinding(Level.WARNING, subject, text, advice)


def _fault(subject: str, text: str, advice: str) -> CheckFinding:
    return CheckFinding(Level.FAULT, subject, text, advice)


def _cameras(facility: Facility | None) -> list[CameraToTest]:
    if facility is None or all(camera.source is None for camera in facility.cameras):
        return []
    return cameras_to_test(facility)


def _machine(cameras: int) -> list[CheckFinding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    text = f"{counted(cores, 'core')} for this process ({platform.machine()})"
    found = [
        _ok("cores", text)
        if cores >= LEAST_CORES
        else _warning("cores", text, f"Give it {LEAST_CORES} cores or more, or fewer cameras.")
    ]
    available, needed = _available_memory(), LEAST_MEMORY + cameras * CAMERA_MEMORY
    if available is None:
        found.append(_warning("memory", "available memory is unknown on this system", "Look at it yourself."))
    elif available < needed:
        text = f"{_gb(available)} available, {_gb(needed)} reckoned for {counted(cameras, 'camera')}"
        found.append(_warning("memory", text, "End other programs, or add memory."))
    else:
        found.append(_ok("memory", f"{_gb(available)} available"))
    try:
        device = str(Device.choose())
        found.append(_ok("processor of networks", "the CPU (no GPU found)" if device == "cpu" else device))
    except (ModelError, OSError) as error:
        found.append(_fault("processor of networks", str(error), "Mend the driver, or watch --device cpu."))
    return found


def _available_memory() -> int | None:
    """Bytes that programs may still take, by the kernel's own estimate; None where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _networks() -> list[CheckFinding]:
    try:
        weights = registry.installed()
        forms = [f"{one.name} {export.record.form}" for one in weights for export in store.exports(one)]
    except (ModelError, OSError) as error:
        return [_fault("networks", str(error), "Install the program again: make setup.")]
    if not weights:
        return [_fault("networks", "no weights are installed", "Install the program again: make setup.")]
    verified = (
        f"verified faster forms: {', '.join(forms)}" if forms else "no faster form was verified: f32 runs"
    )
    return [_ok("networks", f"{len(weights)} weights as published; {verified}")]


def _rules() -> CheckFinding:
    if is_prepared():
        return _ok("rules", "compiled for this machine")
    text = "not compiled for this machine yet"
    return _warning("rules", text, "The first watch compiles them, in about a minute; nothing else to do.")


def _versions() -> CheckFinding:
    parts = [f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}"]
    missing = []
    for name in ("lazaretto", *PACKAGES):
        try:
            parts.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        text = f"not installed: {', '.join(missing)}; {', '.join(parts)}"
        return _fault("versions", text, "Install the program again: make setup.")
    return _ok("versions", ", ".join(parts))


def _home(home: Home) -> CheckFinding:
    path = home.path
    if not path.exists():
        above = next(folder for folder in path.absolute().parents if folder.exists())
        if os.access(above, os.W_OK):
            return _warning("home", f"{path} does not exist yet", "The first command that writes makes it.")
        return _fault("home", f"{path} does not exist, and {above} cannot be written", "Make the folder.")
    try:
        home.prepare()
    except LazarettoError as error:
        return _fault("home", str(error), "Give the user of the service the right to write there.")
    return _ok("home", f"{path} can be written")


def _ledger(home: Home) -> CheckFinding:
    if not home.ledger.exists():
        return _ok("ledger", "there is none yet")
    try:
        with Ledger.open(home.ledger, read_only=True) as ledger:
            faults = ledger.faults()
    except LazarettoError as error:
        return _fault(
            "ledger", str(error), "Stop the watch and restore the last backup (docs/operations.md)."
        )
    if faults:
        text = f"SQLite finds {counted(len(faults), 'fault')}, such as: {faults[0]}"
        return _fault("ledger", text, "Stop the watch and restore the last backup (docs/operations.md).")
    return _ok("ledger", f"sound, {_gb(home.ledger.stat().st_size)}")


def _disk(home: Home, tests: Sequence[CameraTest]) -> CheckFinding:
    folder = home.path.absolute()
    while not folder.exists():
        folder = folder.parent
    try:
        room = room_on(folder)
        ring = _ring_rate(home.path / "footage")
    except OSError as error:
        return _fault("disk", f"{folder}: {error.strerror or error}", "Look at the disk.")
    reserve = RingSettings().reserve(room.total)
    text = f"{_gb(room.free)} free of {_gb(room.total)}, of which footage leaves {_gb(reserve)}"
    if room.free <= reserve:
        return _fault("disk", text, "Make room: no footage is kept, and soon nothing can be written.")
    measured = sum(test.bits_per_second or 0.0 for test in tests) / 8
    rate = measured or ring
    if not rate:
        return _ok("disk", f"{text}; the rate of footage is unknown (--cameras measures it)")
    days = (room.free - reserve) / (rate * 86_400)
    text = f"{text}; footage comes at {rate / 1e6:.2f} MB/s, room for {days:.1f} days more"
    if days < LEAST_DAYS and measured:
        return _warning("disk", text, "Lower the bitrate of the cameras, or keep footage on a larger disk.")
    return _ok("disk", text)


def _ring_rate(folder: Path) -> float:
    """Bytes per second of the footage ring, from the last files of each camera."""
    rate = 0.0
    for camera in cameras_of(folder) if folder.is_dir() else ():
        files = ring_files(folder, camera)[-RATE_FILES - 1 : -1]
        if len(files) > 1:
            span = (files[-1].start - files[0].start) / SECOND
            rate += sum(file.path.stat().st_size for file in files[:-1]) / span
    return rate


def _clock() -> CheckFinding:
    """Whether the kernel holds the clock to be synchronised (man 2 adjtimex)."""
    advice = "Set up a time server (systemd-timesyncd or chrony); `timedatectl` says whether it works."
    try:
        answer: Callable[..., int] = ctypes.CDLL(None, use_errno=True).adjtimex
        state = answer(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError) as error:
        return _warning("clock", f"whether it is synchronised is unknown ({error})", advice)
    if state < 0:
        reason = os.strerror(ctypes.get_errno())
        return _warning("clock", f"whether it is synchronised is unknown ({reason})", advice)
    if state == _TIME_ERROR:
        return _warning("clock", "not synchronised: all times of incidents rest on it", advice)
    return _ok("clock", "synchronised")


def _notifications(home: Home) -> CheckFinding:
    path = home.path / CONFIGURATION
    if not path.exists():
        return _ok("notifications", f"none are configured ({path} does not exist)")
    try:
        targets = len(load_configuration(path).targets)
    except LazarettoError as error:
        return _fault("notifications", str(error), "Mend the file (docs/notifications.md).")
    return _ok("notifications", f"{path} is readable, {counted(targets, 'target')}")


def _facility(request: DoctorRequest) -> tuple[Facility | None, list[CheckFinding]]:
    try:
        if request.facility is None:
            facility = facility_in_force(request.home)
        else:
            facility = load_facility(request.facility)
    except LazarettoError as error:
        advice = "Mend it, or name it with --facility; `lazaretto zones publish` puts one in force."
        return None, [_fault("facility", str(error), advice)]
    name = request.facility or f"{facility.code} in force"
    findings = check_facility(facility.text, name, FRAME_ASPECT)
    warnings = [finding for finding in findings if finding.severity is Severity.WARNING]
    text = f"{name}: {counted(len(facility.cameras), 'camera')}, version {facility.version[:12]}"
    if not warnings:
        return facility, [_ok("facility", text)]
    first = warnings[0]
    place = "in" if len(warnings) == 1 else "the first in"
    text = f"{text}; {counted(len(warnings), 'warning')}, {place} line {first.line}: {first.sentence}"
    return facility, [_warning("facility", text, "See `lazaretto zones check FILE`.")]


def _watches(home: Home) -> list[CheckFinding]:
    """What is watched now: with `watch --facility`, that is not the file in force."""
    try:
        found = watches_at_work(home)
    except LazarettoError as error:
        return [_warning("watch", str(error), "Look at the home and its ledger.")]
    return [_ok("watch", _watch_text(one)) for one in found] or [_ok("watch", "none is at work on this home")]


def _watch_text(watch: WatchAtWork) -> str:
    who = f"process {watch.pid} watches {', '.join(watch.cameras)}"
    if not watch.facility:
        return f"{who}; with which facility file it began is not known"
    text = f"{who} of {watch.facility}, and began with facility file {watch.version[:12]}"
    if watch.in_force is None:
        return f"{text}; no file of {watch.facility} is in force"
    if watch.in_force == watch.version:
        return f"{text}, which is in force"
    return f"{text}; {watch.in_force[:12]} is in force, and is taken up"


def _open_files(cameras: int) -> CheckFinding:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = BASE_FILES + cameras * CAMERA_FILES
    text = f"{'no limit' if limit == resource.RLIM_INFINITY else f'at most {limit}'}, {needed} reckoned"
    if limit != resource.RLIM_INFINITY and limit < needed:
        return _warning("open files", text, f"Raise it: ulimit -n {needed}, or LimitNOFILE= in the unit.")
    return _ok("open files", text)


def _shared_memory() -> CheckFinding:
    try:
        room = room_on(Path("/dev/shm"))
    except OSError as error:
        text = f"/dev/shm: {error.strerror or error}"
        return _warning("shared memory", text, "Mount it (tmpfs): long replays share work through it.")
    text = f"/dev/shm has {_gb(room.total)}, {_gb(room.free)} free"
    if room.free < LEAST_SHARED_MEMORY:
        return _warning("shared memory", text, "Give a container more: --shm-size=2g.")
    return _ok("shared memory", text)


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
