"""What a client sees of a network that fails."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Iterator

import av
import pytest

from evaluation.streaming import FaultProxy, Mount, RtspServer
from tests.streaming import PROBED, clip, connected, numbers, times


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RtspServer, Mount]]:
    file = clip(tmp_path_factory.mktemp("clip") / "clip.mp4")
    with RtspServer() as server:
        yield server, server.mount("/yard", file, live=False)


@pytest.fixture
def url(camera: tuple[RtspServer, Mount]) -> str:
    return camera[0].url("/yard")


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_sound_proxy_passes_everything_on(url: str, transport: str) -> None:
    with FaultProxy(url) as proxy, connected(proxy.url(url), transport) as container:
        assert numbers(container, 30) == list(range(30))
        assert proxy.accepted == 1


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_lost_packets_leave_a_stream_with_holes(url: str, transport: str) -> None:
    with FaultProxy(url) as proxy, connected(proxy.url(url), transport) as container:
        assert len(times(container, PROBED)) == PROBED
        proxy.loss = 0.3
        got = times(container, 40)
    pitches = [b - a for a, b in itertools.pairwise(got)]
    assert max(pitches) > 0.07 and min(pitches) > 0.03


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("fault", ["frozen", "no_packets"])
def test_a_stream_from_which_nothing_comes_any_more_ends_by_the_clients_timeout(
    url: str, fault: str, transport: str
) -> None:
    with FaultProxy(url) as proxy, connected(proxy.url(url), transport, 1.0) as container:
        assert len(times(container, 5)) == 5
        setattr(proxy, fault, True)
        began = time.monotonic()
        # FFmpeg ends a stream that is silent by a timeout or as if it had ended.
        with contextlib.suppress(av.FFmpegError):
            assert len(times(container, 100)) < 100
        assert time.monotonic() - began > 0.9


def test_packets_come_again_when_the_network_thaws(url: str) -> None:
    with FaultProxy(url) as proxy, connected(proxy.url(url)) as container:
        assert numbers(container, PROBED) == [n % 50 for n in range(PROBED)]
        proxy.frozen = True
        threading.Timer(1.0, proxy.clear).start()
        began = time.monotonic()
        assert numbers(container, 20) == [n % 50 for n in range(PROBED, PROBED + 20)]
        assert time.monotonic() - began > 0.9


def test_connections_are_cut_and_refused_and_accepted_again(url: str) -> None:
    with FaultProxy(url) as proxy:
        with connected(proxy.url(url)) as container:
            assert len(times(container, 3)) == 3
            proxy.refuse()
            proxy.drop()
            with contextlib.suppress(av.FFmpegError):
                assert len(times(container, 100)) < 50
        with pytest.raises(av.FFmpegError):
            av.open(proxy.url(url), timeout=3)
        proxy.open()
        with connected(proxy.url(url)) as container:
            assert len(times(container, 3)) == 3


def test_what_reaches_the_client_is_cut_after_so_many_bytes(
    camera: tuple[RtspServer, Mount], url: str
) -> None:
    with FaultProxy(url) as proxy:
        proxy.cut_after = 50
        with socket.create_connection((proxy.host, proxy.port)) as client:
            client.sendall(b"OPTIONS " + url.encode() + b" RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            received = b""
            while data := client.recv(100):
                received += data
    assert len(received) == 50 and received.startswith(b"RTSP/1.0 200 OK")


def test_bytes_of_any_protocol_are_delayed_and_throttled() -> None:
    with socket.create_server(("127.0.0.1", 0)) as echo:
        threading.Thread(target=_echo, args=(echo,), daemon=True).start()
        with FaultProxy(echo.getsockname(), rtsp=False) as proxy:
            proxy.delay_s = 0.3
            with socket.create_connection((proxy.host, proxy.port)) as client:
                began = time.monotonic()
                client.sendall(b"$" * 100)
                assert _receive(client, 100) == b"$" * 100
                assert time.monotonic() - began > 0.55  # there and back
                proxy.delay_s, proxy.bytes_per_s = 0.0, 10_000
                began = time.monotonic()
                client.sendall(b"x" * 5_000)
                assert _receive(client, 5_000) == b"x" * 5_000
                assert time.monotonic() - began > 0.45


def _receive(client: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size and (data := client.recv(65536)):
        received += data
    return received


def _echo(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)
