"""RTP to one client: inside the RTSP connection, or by UDP."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from evaluation.streaming.faults import Faults
from evaluation.streaming.feed import Sent
from evaluation.streaming.messages import PAYLOAD_TYPE
from vision.clock import Clock

_NTP_1970_S = 2_208_988_800
_BUFFERED = 4 << 20
"""Bytes that wait for a client that does not read; a camera then leaves pictures out up to a key frame."""


class Carrier(Protocol):
    """What carries packets to a client."""

    def send(self, channel: int, packets: Sequence[bytes]) -> None:
        """Send packets of RTP (channel 0) or RTCP (channel 1); must not wait."""

    def full(self) -> bool:
        """Whether the client does not take what is sent."""

    def close(self) -> None:
        """Give up what belongs to this carrier alone."""


class Interleaved:
    """Packets inside the RTSP connection (RFC 2326 10.12)."""

    def __init__(self, writer: asyncio.StreamWriter, channels: tuple[int, int]) -> None:
        """Send through `writer`, under the numbers that the client chose for RTP and RTCP."""
        self._writer, self._channels = writer, channels

    def send(self, channel: int, packets: Sequence[bytes]) -> None:
        """Send packets of RTP (channel 0) or RTCP (channel 1)."""
        if not self._writer.is_closing():
            start = b"$" + bytes([self._channels[channel]])
            self._writer.write(b"".join(start + len(p).to_bytes(2, "big") + p for p in packets))

    def send_raw(self, data: bytes) -> None:
        """Send bytes that are no packet."""
        if not self._writer.is_closing():
            self._writer.write(data)

    def full(self) -> bool:
        """Whether the client does not read."""
        return self._writer.transport.get_write_buffer_size() > _BUFFERED

    def close(self) -> None:
        """Nothing: the connection belongs to the session."""


class Datagrams:
    """Packets by UDP, from a pair of ports of our own.

    Attributes:
        ports: ours, for RTP and RTCP.
    """

    def __init__(self, host: str, client: str, ports: tuple[int, int], heard: Callable[[], None]) -> None:
        """Open the ports.

        Args:
            host: address of ours.
            client: address of the client.
            ports: the client's, for RTP and RTCP.
            heard: called when the client sends a report.

        Raises:
            OSError: no pair of ports is free.
        """
        self._sockets = udp_pair(host)
        self.ports = (self._sockets[0].getsockname()[1], self._sockets[1].getsockname()[1])
        self._to = [(client, port) for port in ports]
        self._heard = heard
        for sock in self._sockets:
            sock.setblocking(False)
            asyncio.get_running_loop().add_reader(sock, self._read, sock)

    def _read(self, sock: socket.socket) -> None:
        # An error here answers a datagram that was not received: the client has lost it, as over any network.
        with contextlib.suppress(OSError):
            sock.recv(2048)
            self._heard()

    def send(self, channel: int, packets: Sequence[bytes]) -> None:
        """Send packets of RTP (channel 0) or RTCP (channel 1); what the system does not take is lost."""
        for packet in packets:
            with contextlib.suppress(OSError):
                self._sockets[channel].sendto(packet, self._to[channel])

    def full(self) -> bool:
        """Never: UDP loses instead."""
        return False

    def close(self) -> None:
        """Close the ports."""
        for sock in self._sockets:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()


def udp_pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Two sockets, on an even port and the one above it.

    Raises:
        OSError: none was found in 50 tries.
    """
    for _ in range(50):
        first, second = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        try:
            first.bind((host, 0))
            port = first.getsockname()[1]
            if port % 2 == 0:
                second.bind((host, port + 1))
                return first, second
        except OSError:
            pass  # the port above is taken; another pair is tried
        first.close()
        second.close()
    raise OSError(f"expected a pair of free UDP ports on {host}, found none in 50 tries")


class Sender:
    """The RTP of one session: sequence numbers, sender reports, and the faults of both.

    Attributes:
        sequence: number of the next packet.
        dropped: pictures that were left out because the client did not read.
    """

    def __init__(
        self, carrier: Carrier, faults: Faults, clock: Clock, reports_s: float, first_report_s: float
    ) -> None:
        """Send by `carrier`; reports come every `reports_s` seconds, the first one after `first_report_s`."""
        self.carrier = carrier
        self._faults, self._clock = faults, clock
        self._ssrc = secrets.randbits(32)
        self.sequence = secrets.randbits(16)
        self._packets = self._bytes = self._stamp = self.dropped = 0
        self._reports_s, self._report_at = reports_s, time.monotonic() + first_report_s
        self._awaits_key = True
        self._chance = random.Random(self._ssrc)

    def deliver(self, payloads: Sequence[bytes], sent: Sent) -> None:
        """Send the payloads of one picture; the first one sent is a key frame."""
        if self.carrier.full():
            self._awaits_key = True
        if self._awaits_key and not sent.key:
            self.dropped += self._packets > 0
            return
        if self.carrier.full():
            self.dropped += 1
            return
        self._awaits_key = False
        garbage, loss = self._faults.garbage, self._faults.loss
        if garbage == "stream" and isinstance(self.carrier, Interleaved):
            self.carrier.send_raw(secrets.token_bytes(sum(map(len, payloads))))
            return
        packets = []
        for n, payload in enumerate(payloads, 1):
            head = struct.pack(
                ">BBHII",
                0x80,
                PAYLOAD_TYPE | (n == len(payloads)) << 7,
                self.sequence,
                sent.stamp,
                self._ssrc,
            )
            self.sequence = (self.sequence + 1) % 2**16
            if loss and self._chance.random() < loss:
                continue
            if garbage == "stream":
                packets.append(secrets.token_bytes(len(payload) + 12))
            else:
                packets.append(head + (secrets.token_bytes(len(payload)) if garbage else payload))
        self._stamp = sent.stamp
        self._packets += len(packets)
        self._bytes += sum(map(len, packets)) - 12 * len(packets)
        # The report goes first, as its time belongs to this picture.
        if self._faults.sender_reports and time.monotonic() >= self._report_at:
            self._report_at = time.monotonic() + self._reports_s
            self.carrier.send(1, [self._report(sent.stamp)])
        self.carrier.send(0, packets)

    def ended(self) -> None:
        """Say goodbye: no further picture comes."""
        self.carrier.send(1, [self._report(self._stamp) + struct.pack(">BBHI", 0x81, 203, 1, self._ssrc)])

    def _report(self, stamp: int) -> bytes:
        now_us = self._clock.now() + round(self._faults.clock_offset_s * 1e6)
        seconds, us = divmod(now_us, 1_000_000)
        report = struct.pack(
            ">BBHIIIIII",
            0x80,
            200,
            6,
            self._ssrc,
            (seconds + _NTP_1970_S) % 2**32,
            (us << 32) // 1_000_000,
            stamp,
            self._packets % 2**32,
            self._bytes % 2**32,
        )
        # A compound packet names its sender (RFC 3550 6.1): CNAME "camera", padded to whole words.
        name = b"camera"
        item = bytes([1, len(name)]) + name
        item += bytes(4 - len(item) % 4)
        return report + struct.pack(">BBHI", 0x81, 202, 1 + len(item) // 4, self._ssrc) + item
