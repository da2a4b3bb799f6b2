"""The health endpoint and the metrics of a watch, over HTTP.

    /healthz   200 while the program does its work, else 503; the faults in sentences
    /status    the state of every camera, JSON; ?latency=SECONDS: how far back latencies are told
    /metrics   for Prometheus

A camera that is offline is no fault of the program: it is in the status, the metrics, the coverage and the
incidents.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from incidents.coverage import WATCHED, State
from pipelines.watch.status import LATENCY_S, WatchStatus
from zones.errors import LazarettoError

DEFAULT_ADDRESS = "127.0.0.1:9464"
"""Where the endpoint listens by default: this computer alone may ask. Project default (docs/defaults.md)."""


class MonitoringServer:
    """Answers in threads of its own, within a `with` block; before it, connections are refused.

    Attributes:
        port: the port that it listens on.
    """

    def __init__(self, address: str, status: Callable[[], WatchStatus]) -> None:
        """Bind the address, so that an unusable one is refused early.

        Args:
            address: HOST:PORT; port 0 = any free one.
            status: returns the state now.

        Raises:
            LazarettoError: it cannot listen there.
        """
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit():
            raise LazarettoError(
                f"--health: expected an address such as {DEFAULT_ADDRESS}, or off, got {address!r}"
            )
        registry = CollectorRegistry()
        registry.register(_StatusCollector(status))

        class Handler(_Handler):
            pass

        Handler.status, Handler.registry = staticmethod(status), registry
        try:
            self._server = ThreadingHTTPServer((host, int(port)), Handler, bind_and_activate=False)
            self._server.server_bind()
        except (OSError, OverflowError) as error:
            raise _cannot_listen(address, error) from error
        self._address = address
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="monitoring", daemon=True)

    def __enter__(self) -> Self:
        """Begin to answer.

        Raises:
            LazarettoError: another process has begun to listen there.
        """
        try:
            self._server.server_activate()
        except OSError as error:
            raise _cannot_listen(self._address, error) from error
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


def _cannot_listen(address: str, error: Exception) -> LazarettoError:
    reason = error.strerror if isinstance(error, OSError) else None
    return LazarettoError(f"--health: expected to listen on {address}, got: {reason or error}")


class _Handler(BaseHTTPRequestHandler):
    status: Callable[[], WatchStatus]
    registry: CollectorRegistry
    timeout = 10

    def do_GET(self) -> None:
        """Answer one of the paths."""
        path, _, query = self.path.partition("?")
        if path == "/metrics":
            self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self.registry))
            return
        if path not in ("/healthz", "/status"):
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"expected /healthz, /status or /metrics\n")
            return
        window = parse_qs(query).get("latency", [str(LATENCY_S)])[-1]
        if re.fullmatch(r"\d{1,6}(\.\d*)?", window) is None:
            self._answer(HTTPStatus.BAD_REQUEST, "text/plain", b"expected seconds, such as ?latency=60\n")
            return
        status = self.status()
        code = HTTPStatus.SERVICE_UNAVAILABLE if status.faults and path == "/healthz" else HTTPStatus.OK
        content = (
            status.to_dict(float(window))
            if path == "/status"
            else {
                "healthy": not status.faults,
                "faults": list(status.faults),
            }
        )
        self._answer(code, "application/json", json.dumps(content, ensure_ascii=False).encode() + b"\n")

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged: they come every few seconds."""

    def _answer(self, code: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class _StatusCollector(Collector):
    def __init__(self, status: Callable[[], WatchStatus]) -> None:
        self._status = status

    def describe(self) -> Iterator[Metric]:
        """Nothing is collected when the collector is registered."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The metrics now."""
        status = self._status()
        yield _gauge("lazaretto_running_seconds", "Seconds since the watch began.", status.running_s)
        yield _gauge("lazaretto_healthy", "1 while the program does its work.", float(not status.faults))
        if status.clock_s is not None:
            text = "The computer's clock less the time that the watch uses."
            yield _gauge("lazaretto_clock_difference_seconds", text, status.clock_s)
        yield _gauge("lazaretto_ledger_waiting", "Results that wait for the ledger.", status.waiting)
        yield _gauge(
            "lazaretto_ledger_fault", "1 while the ledger cannot be written.", bool(status.ledger_fault)
        )
        if (latency := status.latency()) is not None:
            family = GaugeMetricFamily(
                "lazaretto_commit_latency_seconds",
                "From the arrival of the deciding frame to the commit, of the results of the last minute.",
                labels=["quantile"],
            )
            for name, value in (("0.5", latency.p50), ("0.95", latency.p95), ("1", latency.longest)):
                family.add_metric([name], value)
            yield family
        if (footage := status.footage) is not None:
            yield _gauge("lazaretto_footage_bytes", "Bytes of footage on the disk.", footage.bytes)
            yield _gauge("lazaretto_footage_free_bytes", "Bytes of the disk that are free.", footage.free)
            if footage.days_left is not None:
                yield _gauge("lazaretto_footage_days_left", "Days until the disk is full.", footage.days_left)
        yield from self._of_cameras(status)

    def _of_cameras(self, status: WatchStatus) -> Iterator[Metric]:
        watched = GaugeMetricFamily(
            "lazaretto_camera_watched", "1 while it is supervised.", labels=["camera"]
        )
        states = GaugeMetricFamily("lazaretto_camera_state", "1 for its state.", labels=["camera", "state"])
        gauges = {
            name: GaugeMetricFamily(f"lazaretto_camera_{name}", text, labels=["camera"])
            for name, text in _GAUGES.items()
        }
        counters = {
            name: CounterMetricFamily(f"lazaretto_camera_{name}", text, labels=["camera"])
            for name, text in _COUNTERS.items()
        }
        failures = CounterMetricFamily(
            "lazaretto_stream_failures", "Connections that broke or failed.", labels=["camera", "stream"]
        )
        for name, camera in status.cameras.items():
            watched.add_metric([name], float(camera.state in WATCHED))
            for state in State:
                states.add_metric([name, state.value], float(camera.state == state.value))
            values = {
                "accounted_seconds": camera.accounted_s,
                "newest_frame_seconds": camera.newest_s,
                "queue": camera.queue,
                "clock_difference_seconds": camera.clock_s,
                "footage_fault": float(bool(camera.footage_fault)),
            }
            for key, value in values.items():
                if value is not None:
                    gauges[key].add_metric([name], value)
            counts = {
                "frames": camera.frames,
                "frames_analysed": camera.analysed,
                "frames_dropped": camera.dropped,
                "reader_restarts": camera.restarts,
            }
            for key, count in counts.items():
                counters[key].add_metric([name], count)
            for role, stream in camera.streams.items():
                failures.add_metric([name, role], stream.failures)
        yield from (watched, states, *gauges.values(), *counters.values(), failures)


_GAUGES = {
    "accounted_seconds": "Seconds since the time up to which everything is known.",
    "newest_frame_seconds": "Seconds since its newest frame came.",
    "queue": "Frames that wait to be analysed.",
    "clock_difference_seconds": "The camera's own clock less the time.",
    "footage_fault": "1 while its footage cannot be kept.",
}
_COUNTERS = {
    "frames": "Frames that came.",
    "frames_analysed": "Frames that were analysed.",
    "frames_dropped": "Frames that were dropped because the device was busy.",
    "reader_restarts": "Readers that were replaced.",
}


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))
