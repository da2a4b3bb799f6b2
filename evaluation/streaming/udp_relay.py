"""A relay for RTP by UDP, between ports on which RTSP agreed."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Callable

from evaluation.streaming.transports import udp_pair

_LARGEST = 65_536
_CLIENT = re.compile(rb"client_port=(\d+)(?:-(\d+))?")
_SERVER = re.compile(rb"server_port=(\d+)(?:-(\d+))?")


class UdpRelay:
    """Two ports that the client takes for the server's, and the server for the client's."""

    def __init__(self, host: str, loses: Callable[[bool], bool]) -> None:
        """Open the ports.

        Args:
            host: address of ours.
            loses: whether a packet to the client is lost; told whether it is RTP.

        Raises:
            OSError: no pair of ports is free.
        """
        self._sockets = udp_pair(host)
        self._loses = loses
        self._client: list[tuple[str, int]] = []
        self._server: list[tuple[str, int]] = []
        loop = asyncio.get_running_loop()
        for channel, sock in enumerate(self._sockets):
            sock.setblocking(False)
            loop.add_reader(sock, self._read, sock, channel)

    @property
    def _own(self) -> bytes:
        return b"%d-%d" % tuple(sock.getsockname()[1] for sock in self._sockets)

    def request(self, message: bytes, client: str) -> bytes:
        """The SETUP of a client at this address, as the server shall see it."""
        self._client = _addresses(_CLIENT, message, client)
        return _CLIENT.sub(b"client_port=" + self._own, message)

    def response(self, message: bytes, server: str) -> bytes:
        """The answer of the server at this address, as the client shall see it."""
        self._server = _addresses(_SERVER, message, server)
        asked = b"client_port=%d-%d" % tuple(port for _, port in self._client)
        return _SERVER.sub(b"server_port=" + self._own, _CLIENT.sub(asked, message))

    def _read(self, sock: socket.socket, channel: int) -> None:
        # An error answers a datagram that was not received. It is lost, as any datagram may be.
        with contextlib.suppress(OSError):
            data, (_, port) = sock.recvfrom(_LARGEST)
            if self._server and port == self._server[channel][1]:
                if not self._loses(channel == 0):
                    sock.sendto(data, self._client[channel])
            elif self._server:
                sock.sendto(data, self._server[channel])

    def close(self) -> None:
        """Close the ports."""
        for sock in self._sockets:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()


def _addresses(pattern: re.Pattern[bytes], message: bytes, host: str) -> list[tuple[str, int]]:
    found = pattern.search(message)
    if found is None:
        return []
    first = int(found[1])
    return [(host, first), (host, int(found[2] or first + 1))]
