"""The cameras of a facility: where they are, and what a look at them tells."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from pipelines.findings import CheckFinding, Level, worst
from pipelines.wording import counted
from vision.clock import Stop
from vision.frames import SECOND
from vision.live.address import (
    AddressError,
    StreamAddress,
    StreamKind,
    Transport,
    read_address,
    shown_address,
)
from vision.live.causes import Cause
from vision.live.probing import MAIN, SUBSTREAM, ProbeSettings, StreamReport, offset_s, probe
from zones.errors import LazarettoError
from zones.facility import Camera, Facility

SIDE_BY_SIDE = 8
"""Cameras that are tested at the same time, at most. Project default (docs/defaults.md)."""
LONG_KEY_INTERVAL_S = 4.0
"""Key frames further apart than this are a warning, seconds: footage and clips begin at them, and after
damage pictures are used again from them on. Project default (docs/defaults.md)."""
RATE_DIFFERENCE = 0.1
"""Share by which the measured rate may be below the stated one. Project default (docs/defaults.md)."""
LATE_S = 0.6
"""Seconds of pictures that may be missing at the end of a look because they come late, not slowly. Project
default (docs/defaults.md)."""
CLOCK_DIFFERENCE_S = 2.0
"""Difference of the camera's clock from the computer's from which it is a warning, seconds. Project default
(docs/defaults.md)."""
OFFSET_S = 0.5
"""Offset between main stream and substream from which it is a warning, seconds. Project default
(docs/defaults.md)."""
STEP_S = 0.5
"""Steps of a stream's times from which they are a warning, seconds: shorter ones come from the order of the
first pictures. Project default (docs/defaults.md)."""
ASPECT_DIFFERENCE = 0.03
"""Share by which the aspects of main stream and substream may differ. Project default (docs/defaults.md)."""
ADVICE = {
    Cause.UNREACHABLE: "Check the address, the cable and that this computer is in the camera's network.",
    Cause.REFUSED: "Check the port in the address, and that RTSP is switched on in the camera.",
    Cause.AUTHENTICATION: "Check user and password; wait some minutes, as cameras lock a login after a few "
    "refusals.",
    Cause.TOO_MANY_SESSIONS: "End other viewers of this camera, or raise its number of sessions.",
    Cause.NOT_FOUND: "Check the path in the address against the camera's manual.",
    Cause.CODEC: "Set the stream to H.264 in the camera, with a key frame each 1 to 2 s.",
    Cause.TIMEOUT: "Check the network and restart the camera; try the other transport (--udp).",
    Cause.ENDED: "Look whether the camera restarts or another client pushes this one out.",
    Cause.READER: "Test it again; where it stays so, report it with the model of the camera.",
    Cause.OTHER: "Check the address and open it in another player.",
}
"""What to do about each cause."""
UNTESTED = {
    StreamKind.USB: "USB cameras were not tested on a device: this project had none at hand",
    StreamKind.HLS: "HLS was not tested with a camera of a vendor: this project had none at hand",
    StreamKind.HTTP: "HTTP was not tested with a camera of a vendor: this project had none at hand",
}
_BROWSER = {"h264": ("yuv420p", "yuvj420p")}
"""Codecs that every browser plays, with their pixel formats."""


@dataclass(frozen=True, slots=True)
class ListedCamera:
    """A camera as the facility file has it.

    Attributes:
        id, name: of the camera.
        address, substream: without credentials; None = it has none.
        kind: how the stream is transported; None where it cannot be told.
        fault: why it cannot be connected to, such as variables that are not set; "" = nothing is known.
    """

    id: str
    name: str
    address: str | None
    substream: str | None
    kind: StreamKind | None
    fault: str


def list_cameras(facility: Facility) -> tuple[ListedCamera, ...]:
    """The cameras of a facility file, with what the environment lacks."""
    return tuple(_listed(camera) for camera in facility.cameras)


def _listed(camera: Camera) -> ListedCamera:
    kind, fault = None, ""
    for text in (camera.substream, camera.source):
        if text is None:
            continue
        try:
            kind = read_address(text).kind
        except AddressError as error:
            fault = str(error)
    shown = [None if text is None else shown_address(text) for text in (camera.source, camera.substream)]
    return ListedCamera(camera.id, camera.name or "", shown[0], shown[1], kind, fault)


@dataclass(frozen=True, slots=True)
class CameraToTest:
    """A camera that is to be looked at.

    Attributes:
        name: id of the camera, or the address without credentials.
        main, substream: addresses as written; None = there is none.
        aspect: width over height of the upright picture, or None.
    """

    name: str
    main: str | None
    substream: str | None = None
    aspect: Fraction | None = None


def is_address(text: str) -> bool:
    """Whether a word is the address of a stream, and not the id of a camera."""
    return "://" in text or text.startswith("file:") or re.fullmatch(r"/dev/video\d+", text) is not None


def cameras_to_test(facility: Facility, name: str | None = None) -> list[CameraToTest]:
    """One camera of a facility file, or all that have a source.

    Raises:
        LazarettoError: there is no such camera, it has no source, or none has.
    """
    chosen = [camera for camera in facility.cameras if camera.id == name or name is None]
    if not chosen:
        known = ", ".join(camera.id for camera in facility.cameras)
        raise LazarettoError(f"expected a camera of {facility.code} ({known}) or an address, got {name}")
    with_source = [camera for camera in chosen if camera.source is not None]
    if not with_source:
        about = f"camera {name}" if name else f"facility {facility.code}: a camera with"
        raise LazarettoError(f"{about}: expected a source (its address) in the facility file, got none")
    return [CameraToTest(c.id, c.source, c.substream, c.picture_aspect) for c in with_source]


@dataclass(frozen=True)
class CameraTest:
    """What a look at a camera told.

    Attributes:
        camera: its name.
        streams: what was seen, by name of the stream.
        addresses: of the streams.
        offset_s: how much later the substream shows a moment than the main stream; None = cannot be told.
        findings: in order.
    """

    camera: str
    streams: dict[str, StreamReport] = field(default_factory=dict)
    addresses: dict[str, StreamAddress] = field(default_factory=dict)
    offset_s: float | None = None
    findings: tuple[CheckFinding, ...] = ()

    @property
    def level(self) -> Level:
        """The worst of the findings."""
        return worst(self.findings)

    @property
    def jpeg(self) -> bytes | None:
        """A picture of the main stream, if one was asked for and came."""
        return next((report.jpeg for report in self.streams.values() if report.jpeg), None)

    @property
    def bits_per_second(self) -> float | None:
        """Of the main stream, which the footage ring keeps."""
        report = self.streams.get(MAIN)
        return None if report is None else report.bits_per_second

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "camera": self.camera,
            "level": self.level.value,
            "findings": [finding.to_dict() for finding in self.findings],
            "substream_offset_s": self.offset_s,
            "streams": {
                name: _stream_dict(report, self.addresses[name]) for name, report in self.streams.items()
            },
        }


def check_cameras(
    cameras: list[CameraToTest],
    seconds: float = 5.0,
    transport: Transport = Transport.TCP,
    snapshot: bool = False,
    timeouts_s: tuple[float, float] = (10.0, 10.0),
) -> list[CameraTest]:
    """Look at cameras, several at the same time; each look ends, whatever the camera does."""

    def look(camera: CameraToTest) -> CameraTest:
        return _test(camera, seconds, transport, snapshot, timeouts_s, stop)

    stop = Stop()
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        looks = [pool.submit(look, camera) for camera in cameras]
        try:
            return [one.result() for one in looks]
        except BaseException:  # Such as Ctrl-C, which should not wait for the cameras.
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def save_snapshot(test: CameraTest, path: Path) -> None:
    """Write the picture of a test to a new file.

    Raises:
        LazarettoError: there is such a file, it cannot be written, or no picture came.
    """
    if test.jpeg is None:
        raise LazarettoError(f"camera {test.camera}: expected a picture for {path}, got none")
    refuse_existing(path)
    try:
        with path.open("xb") as file:
            file.write(test.jpeg)
    except OSError as error:
        raise LazarettoError(f"expected to write {path}, got: {error.strerror or error}") from error


def refuse_existing(path: Path) -> None:
    """Refuse a file that is there already.

    Raises:
        LazarettoError: there is such a file.
    """
    if os.path.lexists(path):
        raise LazarettoError(f"expected a new file for the snapshot, got {path}, which exists")


def _test(
    camera: CameraToTest,
    seconds: float,
    transport: Transport,
    snapshot: bool,
    timeouts_s: tuple[float, float],
    stop: Stop,
) -> CameraTest:
    addresses: dict[str, StreamAddress] = {}
    try:
        for name, text in ((MAIN, camera.main), (SUBSTREAM, camera.substream)):
            if text is not None:
                addresses[name] = read_address(text, transport=transport)
    except AddressError as error:
        advice = "Set the variables in the environment, for a service in cameras.env, or mend the address."
        return CameraTest(camera.name, findings=(CheckFinding(Level.FAULT, camera.name, str(error), advice),))
    settings = ProbeSettings(camera.name, addresses, seconds, camera.aspect, timeouts_s, snapshot)
    reports = probe(settings, stop)
    offset = None
    if SUBSTREAM in reports:
        offset = offset_s(reports[MAIN].glances, reports[SUBSTREAM].glances)
    findings: list[CheckFinding] = []
    for name, report in reports.items():
        findings += _stream_findings(f"{camera.name} {name}", report, addresses[name], name == MAIN)
    if SUBSTREAM in reports and all(report.pictures for report in reports.values()):
        findings += _pair_findings(camera.name, reports, offset)
    return CameraTest(camera.name, reports, addresses, offset, tuple(findings))


def _stream_findings(
    subject: str, report: StreamReport, address: StreamAddress, kept: bool
) -> list[CheckFinding]:
    if report.cause is not None:
        text = f"{report.cause.value}: {report.text}"
        found = [CheckFinding(Level.FAULT, subject, text, ADVICE[report.cause])]
    else:
        found = [CheckFinding(Level.OK, subject, describe(report, address))]
    if (untested := UNTESTED.get(address.kind)) is not None:
        found.append(CheckFinding(Level.OK, subject, untested))
    if report.info is None:
        return found
    found += [CheckFinding(Level.WARNING, subject, text, advice) for text, advice in _doubts(report)]
    if kept and report.ring_fault:
        advice = "Set the stream to H.264 or H.265: no evidence can be made without footage."
        found.append(CheckFinding(Level.FAULT, subject, f"it cannot be kept: {report.ring_fault}", advice))
    elif kept and report.ring_fault == "":
        plays = report.pixel_format in _BROWSER.get(report.info.codec, ())
        how = "every browser plays it" if plays else "it is transcoded for viewing in a browser"
        found.append(CheckFinding(Level.OK, subject, f"the footage can be kept; {how}"))
    return found


def _doubts(report: StreamReport) -> list[tuple[str, str]]:
    """What is not as it should be, and what to do, of a stream that came."""
    found = []
    if report.damage:
        text = f"pictures were lost or damaged {counted(len(report.damage), 'time')} ({report.damage[0]})"
        found.append((text, "Check the network (cable, switch, wireless); over UDP try TCP."))
    stated, rate = report.stated_rate, report.rate
    if stated and rate and stated - rate > RATE_DIFFERENCE * stated and report.missing_s > LATE_S:
        text = f"it states {stated:.1f} frames/s and delivers {rate:.1f}"
        found.append((text, "Lower the frame rate or bitrate in the camera to what it can deliver."))
    interval = report.key_interval_s
    interval = max(interval or 0.0, report.unfinished_us / SECOND)
    if interval > LONG_KEY_INTERVAL_S:
        text = f"key frames are {interval:.1f} s apart or more"
        found.append((text, "Set a key frame each 1 to 2 s (I-frame interval), and switch smart codecs off."))
    if report.clock_us is not None and abs(report.clock_us) > CLOCK_DIFFERENCE_S * SECOND:
        text = f"the camera's clock is {_signed(report.clock_us)} the computer's"
        found.append((text, "Give the camera a time server; its pictures are timed by this computer."))
    steps = [step for step in report.steps_us if abs(step) > STEP_S * SECOND]
    if steps:
        most = max(map(abs, steps)) / SECOND
        text = f"its timestamps jumped {counted(len(steps), 'time')}, by up to {most:.1f} s"
        found.append((text, "Test for longer; where it comes again, update the camera's firmware."))
    return found


def _pair_findings(camera: str, reports: dict[str, StreamReport], offset: float | None) -> list[CheckFinding]:
    main, sub = (reports[name].picture_size for name in (MAIN, SUBSTREAM))
    assert main is not None and sub is not None, "both gave pictures"
    found = []
    aspects = [width / height for width, height in (main, sub)]
    if abs(aspects[0] / aspects[1] - 1) > ASPECT_DIFFERENCE:
        text = f"main stream and substream have different shapes, {aspects[0]:.2f} and {aspects[1]:.2f} to 1"
        advice = "Set both to the same aspect, so that zones mean the same in both."
        found.append(CheckFinding(Level.WARNING, camera, text, advice))
    if offset is None:
        text = "whether main stream and substream show the same moment cannot be told: too little moves"
        found.append(CheckFinding(Level.OK, camera, text, "Test again while someone walks in view."))
    elif abs(offset) > OFFSET_S:
        text = (
            f"the substream shows a moment {abs(offset):.2f} s {'after' if offset > 0 else 'before'} the main"
        )
        advice = "Give both the same codec and frame rate, or analyse the main stream (no substream)."
        found.append(CheckFinding(Level.WARNING, camera, f"{text} stream", advice))
    else:
        text = f"main stream and substream show the same moment (offset {offset:+.2f} s)"
        found.append(CheckFinding(Level.OK, camera, text))
    return found


def describe(report: StreamReport, address: StreamAddress) -> str:
    """What a stream is, in one sentence."""
    info = report.info
    assert info is not None, "a stream that was read states what it is"
    parts = [f"{info.codec} {info.width} x {info.height}"]
    stated = "no rate stated" if report.stated_rate is None else f"{report.stated_rate:.1f} stated"
    rate = "rate unknown" if report.rate is None else f"{report.rate:.1f} frames/s"
    parts.append(f"{rate} ({stated})")
    interval = report.key_interval_s
    parts.append("key frame interval unknown" if interval is None else f"a key frame each {interval:.1f} s")
    parts.append(f"{(report.bits_per_second or 0) / 1e6:.2f} Mbit/s")
    parts.append("no damage" if not report.damage else f"damage {counted(len(report.damage), 'time')}")
    parts.append(_carried(address))
    parts.append(f"opened in {report.opened_s or 0:.1f} s")
    parts.append(f"pictures up to {_late_s(report) or 0:.2f} s late on the way")
    if report.clock_us is None:
        parts.append("its clock and so its own delay unknown")
    else:
        parts.append(f"its clock {_signed(report.clock_us)} the computer's")
    return ", ".join(parts)


def _late_s(report: StreamReport) -> float | None:
    """How late the latest packet came, beyond the earliest ones, seconds."""
    delays = report.delays_us
    return None if not delays else (max(delays) - min(delays)) / SECOND


def _carried(address: StreamAddress) -> str:
    return f"RTP over {address.transport.value.upper()}" if address.kind is StreamKind.RTSP else address.kind


def _signed(microseconds: int) -> str:
    return f"{abs(microseconds) / SECOND:.2f} s {'ahead of' if microseconds > 0 else 'behind'}"


def _stream_dict(report: StreamReport, address: StreamAddress) -> dict[str, object]:
    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, 3)

    info, bits = report.info, report.bits_per_second
    return {
        "address": address.shown,
        "kind": address.kind.value,
        "transport": address.transport.value if address.kind is StreamKind.RTSP else None,
        "cause": None if report.cause is None else report.cause.value,
        "text": report.text,
        "codec": None if info is None else info.codec,
        "size": None if info is None else [info.width, info.height],
        "rate_stated": rounded(report.stated_rate),
        "rate_measured": rounded(report.rate),
        "key_interval_s": rounded(report.key_interval_s),
        "bits_per_second": None if bits is None else round(bits),
        "packets": report.packets,
        "pictures": report.pictures,
        "damage": report.damage,
        "opened_s": rounded(report.opened_s),
        "late_s": rounded(_late_s(report)),
        "camera_clock_s": None if report.clock_us is None else rounded(report.clock_us / SECOND),
        "can_be_kept": None if report.ring_fault is None else not report.ring_fault,
        "plays_in_browser": None if info is None else report.pixel_format in _BROWSER.get(info.codec, ()),
    }


def named_address(text: str) -> CameraToTest:
    """An address that stands in no facility file, as a camera."""
    return replace(CameraToTest("", text), name=shown_address(text))
