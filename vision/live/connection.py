"""One connection to a camera after the other: packets, their times, and the pictures that are analysed."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vision.clock import Clock, Stop
from vision.frames import SAMPLING_TOLERANCE_US, SECOND, Frame
from vision.live.address import StreamAddress, StreamKind, Transport
from vision.live.causes import Cause, StreamFault, fault_of
from vision.live.clocks.first_stamps import first_stamps
from vision.live.clocks.stream import StreamClock
from vision.live.decoding import Damage, LiveDecoder
from vision.live.ffmpeg_log import FFmpegLog
from vision.live.picture_size import PictureSize
from vision.live.reports import PacketSink, Reports, StreamInfo
from vision.sources.container import MAX_REORDERED_FRAMES, nominal_rate
from vision.sources.decoded_frame import Converters, DecodedFrame
from vision.sources.gaps import Gap, GapKind
from vision.sources.opening import OPEN_TIMEOUT_S, READ_TIMEOUT_S
from vision.sources.pixels import PixelShape
from vision.sources.protocol import SourceItem

GAP_US = 2 * SECOND
"""Pictures further apart than this have a gap between them, microseconds. Project default
(docs/defaults.md)."""
HOLD_US = SECOND // 2
"""Arrivals of the first packets that are compared before the clock of a connection is anchored, microseconds:
servers send what they hold at once. Project default (docs/defaults.md)."""
MAX_HELD = 500
"""Packets that are held meanwhile, at most."""
PROBE_US = SECOND
"""Stream that is looked at to find the codec, microseconds of its timestamps."""
UNDECODED_US = 30 * SECOND
"""Packets without a usable picture for this long end a connection, microseconds: longer than key frames are
apart. Project default (docs/defaults.md)."""
UNDECODED_REPORT_US = 5 * SECOND
"""While packets come without a usable picture, that is told this often, microseconds."""
MAX_AHEAD_S = 60.0
"""A picture further ahead than this, seconds, is not waited for: its timestamp jumped."""
MAX_BEHIND_S = 1.0
"""A picture later than this, seconds, begins a new pace: those that follow do not hurry after it."""
UDP_BUFFER = 1 << 21
"""Bytes that the system keeps of RTP over UDP, so that a busy moment loses none."""


@dataclass
class StreamConnection:
    """Connects to a stream; a `vision.sources.reopening.Connect`.

    Attributes:
        address: of the stream.
        camera: id of the camera.
        clock: the time of day.
        wanted: returns whether pictures are wanted now; without, only the gaps between packets are given.
        aspect: width over height of the upright picture by the camera's setting; None = as the stream states.
        sink: takes the packets; None = they are not kept.
        reports: what is told beside the items.
        log: FFmpeg's, in this process.
        timeouts_s: to open, and to wait for a packet.
    """

    address: StreamAddress
    camera: str
    clock: Clock
    wanted: Callable[[], bool] = lambda: True
    aspect: Fraction | None = None
    sink: PacketSink | None = None
    reports: Reports = field(default_factory=Reports)
    log: FFmpegLog = field(default_factory=FFmpegLog)
    timeouts_s: tuple[float, float] = (OPEN_TIMEOUT_S, READ_TIMEOUT_S)
    _accepted: bool = field(default=False, init=False)
    _frames: int = field(default=0, init=False)
    _asked: float = field(default=0.0, init=False)

    def __call__(self, stop: Stop, min_interval_us: int) -> Generator[SourceItem, None, None]:
        """Connect and give the items of the stream until it ends or breaks.

        Raises:
            StreamFault: it cannot be opened, or broke.
        """
        self.log.take_text()
        self.log.take_damaged()
        self._asked, timeout_s = time.monotonic(), self.timeouts_s[0]
        connecting = self.address.kind is StreamKind.RTSP
        try:
            with closing(self._open()) as container:
                stream = _video_of(container)
                self._accepted, connecting = True, False
                self._asked, timeout_s = time.monotonic(), self.timeouts_s[1]
                one = _Pass(self, container, stream, stop, min_interval_us, self._frames)
                try:
                    yield from one.items()
                finally:
                    self._frames = one.frames
                    if self.sink is not None:
                        self.sink.close()
        except (av.FFmpegError, OSError, StreamFault) as error:
            if stop.is_set():
                return
            timed_out = time.monotonic() - self._asked >= timeout_s
            log = self.log.take_text()
            raise fault_of(error, self._accepted, log, timed_out, connecting) from None
        if not stop.is_set():
            raise StreamFault(Cause.ENDED)

    def asked(self) -> float:
        """The next packet is asked for; returns the seconds since this was called last."""
        before, self._asked = self._asked, time.monotonic()
        return self._asked - before

    def _open(self) -> InputContainer:
        kind, options = self.address.kind, {"probesize": "500000", "analyzeduration": str(PROBE_US)}
        if kind is StreamKind.RTSP:
            options |= {
                "rtsp_transport": self.address.transport.value,
                "allowed_media_types": "video",
                "fpsprobesize": "0",
            }
            if self.address.transport is Transport.UDP:
                options |= {"buffer_size": str(UDP_BUFFER), "reorder_queue_size": "200"}
        return av.open(
            self.address.url,
            "r",
            format="v4l2" if kind is StreamKind.USB else None,
            options=options,
            timeout=self.timeouts_s,
            metadata_errors="replace",
        )


class _Pass:
    """One open connection.

    Attributes:
        frames: number of pictures that were decoded, over all connections.
    """

    def __init__(
        self,
        settings: StreamConnection,
        container: InputContainer,
        stream: VideoStream,
        stop: Stop,
        min_interval_us: int,
        frames: int,
    ) -> None:
        self._settings, self._container, self._stream, self._stop = settings, container, stream, stop
        self._step = max(0, min_interval_us - SAMPLING_TOLERANCE_US)
        self._base = Fraction(stream.time_base or Fraction(1, 90_000)) * SECOND
        # Pictures over HTTP have no timestamps; FFmpeg makes some up, at 25 pictures a second.
        self._by_arrival = settings.address.kind is StreamKind.HTTP and stream.codec_context.name == "mjpeg"
        self._unstamped = 0
        self._clock = StreamClock()
        self._decoder = LiveDecoder(stream)
        self._size = PictureSize(stream.codec_context.name)
        self._converters = Converters()
        self._pixels = PixelShape.of(stream, settings.aspect)
        self._coded: tuple[object, ...] | None = None
        self._pace: tuple[float, int] | None = None
        self._last_t: int | None = None  # of the last picture that was decoded and trusted
        self._packet_t: int | None = None
        self._silent_until: int | None = None  # no packet came for long before this time
        self._sampled: int | None = None
        self._times: dict[int, int] = {}
        self._files = 0
        self._file_begins: int | None = None
        self._undecoded_since: int | None = None
        self._undecoded_told = 0
        self._undecodable: Damage | None = None  # what was told of the time up to `_last_t`
        self._clock_told = False
        self.frames = frames

    def items(self) -> Iterator[SourceItem]:
        """The items of the connection, until it ends, breaks or is stopped."""
        try:
            yield from self._coming()
        except (av.FFmpegError, OSError, StreamFault):
            yield from self._rest()
            raise
        yield from self._rest()

    def _rest(self) -> Iterator[SourceItem]:
        """The pictures that the decoder holds at the end of a connection: the footage has them."""
        if self._stop.is_set() or not self._settings.wanted() or self._packet_t is None:
            return
        if self._settings.log.take_damaged():
            self._decoder.lose("packets were lost on the way")
        for frame in self._decoder.rest(self._packet_t):
            yield from self._picture(frame, self._packet_t)

    def _coming(self) -> Iterator[SourceItem]:
        held: list[tuple[Packet[VideoStream], int, bool]] | None = []
        for packet, stamp, arrival in self._arriving():
            lost = self._settings.log.take_damaged()
            if held is None:
                if stamp is not None:
                    yield from self._take(packet, stamp, arrival, lost)
                continue
            held.append((packet, arrival, lost))
            if arrival - held[0][1] >= HOLD_US or len(held) >= MAX_HELD:
                waiting, held = held, None
                yield from self._take_held(waiting)
        if held and not self._stop.is_set():
            yield from self._take_held(held)

    def _arriving(self) -> Iterator[tuple[Packet[VideoStream], int | None, int]]:
        """Packets with their decoding time by the stream, and when they came; both in microseconds.

        The decoding time is None where the stream tells none, as of its first pictures.
        """
        settings, told = self._settings, False
        settings.asked()
        for packet in self._container.demux(self._stream):
            if self._stop.is_set():
                return
            waited_s = settings.asked()
            if settings.address.kind.has_timeout and waited_s >= settings.timeouts_s[1]:
                # FFmpeg gives what its parser held when a read runs out of time; then it would wait anew.
                raise StreamFault(Cause.TIMEOUT)
            if not packet.size:
                continue
            if self._by_arrival:
                packet.pts = packet.dts = None
            stamp = packet.dts if packet.dts is not None else packet.pts
            micro = None if stamp is None else round(stamp * self._base)
            if stamp is None and self._by_arrival:
                micro = settings.clock.now()
            if micro is None:
                self._refuse_unstamped()
            elif settings.address.kind.comes_at_once and self._wait_for(micro):
                return
            settings.reports.arrived(time.monotonic())
            if not told:
                told = True
                settings.reports.connected(_info(self._stream))
            yield packet, micro, settings.clock.now()
            settings.asked()

    def _refuse_unstamped(self) -> None:
        """The first packet of a connection may have no timestamp, but not all of them."""
        self._unstamped += 1
        if self._unstamped > MAX_HELD:
            raise StreamFault(Cause.CODEC, "packets come without timestamps")

    def _wait_for(self, stamp: int) -> bool:
        """Give what comes at once at its own pace; returns whether a stop was requested."""
        now = time.monotonic()
        ahead = 0.0 if self._pace is None else (stamp - self._pace[1]) / SECOND - (now - self._pace[0])
        if self._pace is None or not -MAX_BEHIND_S <= ahead <= MAX_AHEAD_S:
            self._pace = now, stamp  # It begins, or it was late, or its timestamps jumped.
            return False
        return ahead > 0 and self._settings.clock.wait(ahead, self._stop)

    def _take_held(self, held: list[tuple[Packet[VideoStream], int, bool]]) -> Iterator[SourceItem]:
        if self._by_arrival:
            stamps = [arrival for _, arrival, _ in held]
        elif (first := first_stamps([packet for packet, _, _ in held])) is not None:
            stamps = [round(stamp * self._base) for stamp in first]
        else:
            return
        self._clock.begin([(stamp, arrival) for stamp, (_, arrival, _) in zip(stamps, held, strict=True)])
        for stamp, (packet, arrival, lost) in zip(stamps, held, strict=True):
            yield from self._take(packet, stamp, arrival, lost)

    def _take(
        self, packet: Packet[VideoStream], stamp: int, arrival: int, lost: bool
    ) -> Iterator[SourceItem]:
        if (size := self._size.changed(packet)) is not None:
            # A new connection has the parameters that footage and decoder need.
            raise StreamFault(Cause.ENDED, f"its pictures are now {size[0]} x {size[1]}")
        t = self._clock.feed(stamp, arrival)
        for step in self._clock.take_steps():
            self._settings.reports.notice(f"{step.reason}; its times step by {step.by / SECOND:.1f} s")
            self._settings.reports.stepped(step.by)
        if packet.pts is not None:
            t = self._clock.at(round(packet.pts * self._base))
            self._note_time(packet.pts, t)
        if self._packet_t is not None and t - self._packet_t > GAP_US:
            self._silent_until = t
        self._packet_t = t
        self._compare_clocks(packet, t)
        self._keep(packet, t)
        if not self._settings.wanted():
            self._decoder.pause()
            self._undecoded_since = None
            yield from self._note_packet(t)
        else:
            if lost:
                self._decoder.lose("packets were lost on the way")
            for frame in self._decoder.decode(packet, t):
                yield from self._picture(frame, t)
            yield from self._account_for_undecodable(t)

    def _picture(self, frame: VideoFrame, packet_t: int) -> Iterator[SourceItem]:
        # Exactly that of its packet, which the footage keeps.
        t = packet_t if frame.pts is None else self._times.pop(frame.pts, packet_t)
        self.frames += 1
        self._undecoded_since = None
        damage = self._decoder.take_damage()
        last, self._last_t = self._last_t, t
        if last is not None and t <= last:
            return
        if last is not None:
            yield from self._gaps(last, t, damage or self._undecodable)
        self._silent_until = self._undecodable = None
        if self._file_begins is not None and t >= self._file_begins:
            # An analysis of the footage takes the first picture of each file: so the same are taken here.
            self._file_begins = self._sampled = None
        if self._sampled is None or t - self._sampled >= self._step:
            self._sampled = t
            in_codec = self._stream.codec_context.sample_aspect_ratio
            picture = DecodedFrame(self.frames, t, frame, self._converters, self._pixels, in_codec)
            yield Frame(picture, t, self.frames, self._settings.camera)

    def _gaps(self, last: int, t: int, damage: Damage | None) -> Iterator[Gap]:
        """What is between two pictures: time without packets, then pictures that cannot be used."""
        silent_until = last if self._silent_until is None else max(last, min(self._silent_until, t))
        missing_until = silent_until if damage is not None else t
        if missing_until - last > GAP_US:
            text = f"no frame for {(missing_until - last) / SECOND:.1f} s"
            yield Gap(GapKind.MISSING, last, missing_until, 0, text)
            last = missing_until
        if damage is not None and t > last:
            yield Gap(GapKind.UNDECODABLE, last, t, damage.frames, damage.cause)

    def _note_time(self, stamp: int, t: int) -> None:
        """Remember the time of a packet until its picture is decoded; of pictures that never come, a few."""
        self._times[stamp] = t
        if len(self._times) > MAX_REORDERED_FRAMES:
            del self._times[next(iter(self._times))]

    def _note_packet(self, t: int) -> Iterator[SourceItem]:
        """Without decoding, the packets alone tell that the stream goes on."""
        last, self._last_t = self._last_t, t
        if last is not None and t - last > GAP_US:
            yield Gap(GapKind.MISSING, last, t, 0, f"no packet for {(t - last) / SECOND:.1f} s")

    def _account_for_undecodable(self, t: int) -> Iterator[Gap]:
        """Tell of packets without a usable picture while they come, and give up after a long time."""
        if self._undecoded_since is None:
            self._undecoded_since = self._undecoded_told = t
        if t - self._undecoded_told > UNDECODED_REPORT_US:
            start = self._undecoded_since if self._last_t is None else self._last_t
            damage = self._decoder.damage
            cause = "no picture can be decoded" if damage is None else damage.cause
            if t > start:
                yield Gap(GapKind.UNDECODABLE, start, t, 0, cause)
                self._last_t, self._undecodable = t, Damage(cause, 0)
            self._undecoded_told = t
        if t - self._undecoded_since > UNDECODED_US:
            raise StreamFault(Cause.CODEC, "packets come, and no picture of them can be used")

    def _keep(self, packet: Packet[VideoStream], t: int) -> None:
        sink = self._settings.sink
        if sink is None:
            return
        context = self._stream.codec_context
        coded = (context.name, context.width, context.height, context.extradata)
        if coded != self._coded:
            self._coded = coded
            sink.begin(self._stream)
        sink.write(packet, t)
        if sink.files != self._files:
            self._files, self._file_begins = sink.files, t

    def _compare_clocks(self, packet: Packet[VideoStream], t: int) -> None:
        """Report how far the camera's own clock is from the time, where it sends that (RTCP)."""
        if not packet.has_sidedata("prft"):
            return
        wallclock = int.from_bytes(bytes(packet.get_sidedata("prft"))[:8], "little", signed=True)
        self._settings.reports.camera_clock(wallclock - t)


def _video_of(container: InputContainer) -> VideoStream:
    videos = container.streams.video
    if not videos:
        raise StreamFault(Cause.CODEC, "it holds no video")
    stream = max(videos, key=lambda one: one.width * one.height if one.codec_context is not None else 0)
    if stream.codec_context is None:
        raise StreamFault(Cause.CODEC, "its codec is unknown")
    return stream


def _info(stream: VideoStream) -> StreamInfo:
    context, rate = stream.codec_context, nominal_rate(stream)
    return StreamInfo(context.name, context.width, context.height, float(rate) if rate else None)
