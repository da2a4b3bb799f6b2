"""A home with events, and targets, for the tests of notifications."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from incidents.ledger import Ledger
from incidents.rules.events import Event
from pipelines.home import Home
from pipelines.notifications.configuration import Configuration, parse_configuration
from pipelines.notifications.delivering import Deliverer
from pipelines.notifications.following import Follower
from pipelines.notifications.messages import Draft
from pipelines.notifications.sending import SendError
from pipelines.notifications.store import STORE, Store
from tests.faults import FakeClock
from tests.incidents.ledger.event_samples import record_of
from tests.incidents.ledger.ledger_samples import MODELS, T0, facility
from vision.clock import Stop
from vision.frames import SECOND
from zones.facility import Facility

MINUTE = 60 * SECOND
ZONED = """\
    zones:
      - {id: kitchen, name: Bếp, type: staff_only, polygon: [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]}
"""


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that another thread or process does; fail when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def tell(home: Home, happened: Sequence[Event], at: Facility | None = None, now: int | None = None) -> None:
    """Enter events in the ledger as the rules would, recorded at `now` (microseconds UTC)."""
    clock = {} if now is None else {"clock": lambda: now}
    with Ledger.open(home.ledger, **clock) as ledger:
        run = ledger.runs.start(at or facility(), MODELS, {})
        for one in happened:
            ledger.incidents.record_event(one, record_of(one, at), run)


@dataclass
class Sink:
    """A channel that takes messages, or does not."""

    failing: str = ""
    taken: list[Draft] = field(default_factory=list)
    asked: list[Draft] = field(default_factory=list)

    def send(self, draft: Draft) -> None:
        self.asked.append(draft)
        if self.failing:
            raise SendError(self.failing)
        self.taken.append(draft)

    def close(self) -> None:
        pass


@dataclass
class Desk:
    """The parts of a notifier in one thread, with a clock that does not wait.

    Attributes:
        sinks: where the messages to each target arrive.
    """

    home: Home
    configuration: Configuration
    clock: FakeClock
    sinks: dict[str, Sink] = field(default_factory=dict)
    _deliverers: dict[str, Deliverer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sinks = {name: Sink() for name in self.configuration.targets}

    def restart(self) -> None:
        """Forget what is only in memory. (What follows the ledger is opened anew in every turn.)"""
        for name, sink in self.sinks.items():
            store = Store(self.home.path / STORE)
            self._deliverers[name] = Deliverer(name, self.configuration, sink, store, self.clock)

    def begin(self) -> None:
        with self._follower() as follower:
            follower.begin()

    def tell(self, *happened: Event, at: Facility | None = None) -> None:
        tell(self.home, happened, at, self.clock.now())

    def turn(self, minutes: float = 0.0) -> None:
        """Follow the ledger and send, now and while time passes."""
        if not self._deliverers:
            self.restart()
        end = self.clock.now() + round(minutes * MINUTE)
        while True:
            with self._follower() as follower:
                follower.begin()
                follower.step()
                follower.escalate()
            for deliverer in self._deliverers.values():
                while deliverer.step() == 0.0:
                    pass
            if self.clock.now() >= end:
                return
            self.clock.wait(min(30.0, (end - self.clock.now()) / SECOND), Stop())

    def titles(self, target: str) -> list[str]:
        return [draft.title for draft in self.sinks[target].taken]

    def whats(self, target: str) -> list[str]:
        """What happened, of the messages that a target took."""
        return [json.loads(draft.payload)["event"] for draft in self.sinks[target].taken]

    @contextmanager
    def _follower(self) -> Iterator[Follower]:
        with Ledger.open(self.home.ledger) as ledger, Store(self.home.path / STORE) as store:
            yield Follower(ledger, store, self.configuration, self.clock)


def desk(home: Home, yaml: str, now: int = T0) -> Desk:
    """A desk at a time, which has begun to follow an empty ledger."""
    made = Desk(home, parse_configuration(yaml, "notifications.yaml"), FakeClock(now))
    made.begin()
    return made


@dataclass
class Received:
    """A request that a web server got."""

    path: str
    content: Any
    header: dict[str, str]


class Web:
    """A web server that answers as it is told, and keeps what it got."""

    def __init__(self, answers: Sequence[int] = (), delay_s: float = 0.0) -> None:
        """`answers`: the statuses of the first requests; 200 after them."""
        self.got: list[Received] = []
        self.taken: list[Received] = []
        self.gate = threading.Event()
        self.gate.set()
        waiting, web = list(answers), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received = Received(self.path, json.loads(body), dict(self.headers))
                web.got.append(received)
                status = waiting.pop(0) if waiting else 200
                web.gate.wait(30)
                time.sleep(delay_s)
                if status < 300:
                    web.taken.append(received)
                try:
                    self.send_response(status)
                    if 300 <= status < 400:
                        self.send_header("Location", "http://127.0.0.2:9/elsewhere")
                    self.end_headers()
                except ConnectionError:
                    pass  # the program was killed meanwhile

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/hook"
