"""The notifier of a home: follows its ledger, and tells the targets, for months."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.notifications.channels import open_channels
from pipelines.notifications.configuration import CONFIGURATION, Configuration, load_configuration
from pipelines.notifications.delivering import POLL_S, Deliverer
from pipelines.notifications.following import Follower
from pipelines.notifications.home_assistant import Mirror
from pipelines.notifications.mqtt_channel import MqttChannel
from pipelines.notifications.sending import Channel, SendError
from pipelines.notifications.store import STORE, Store
from pipelines.notifications.words import trial_message
from vision.clock import Clock, Stop, SystemClock
from vision.frames import SECOND
from zones.errors import LazarettoError
from zones.validation import suggest

ESCALATE_S = 10.0
"""Seconds between two searches for incidents whose review has not begun.
Project default (docs/defaults.md)."""
MIRROR_S = 2.0
"""Seconds after which what a broker retains is compared with the ledger.
Project default (docs/defaults.md)."""
REPAIR_S = 10.0
"""Seconds to wait after the ledger or the queue could not be used. Project default (docs/defaults.md)."""
PRUNE_S = 3600.0
"""Seconds after which old messages are removed. Project default (docs/defaults.md)."""
END_S = 3.0
"""Seconds to wait, at the end, for a message that is being sent. Project default (docs/defaults.md)."""
SAY_AGAIN_S = 3600.0
"""Seconds after which the same fault is logged again. Project default (docs/defaults.md)."""

logger = logging.getLogger(__name__)


class Notifier:
    """Tells the targets of a home what happens to its incidents."""

    def __init__(
        self,
        home: Home,
        configuration: Configuration | None = None,
        environment: Mapping[str, str] = os.environ,
        clock: Clock | None = None,
    ) -> None:
        """Check the configuration; nothing is reached, and nothing is written yet.

        Args:
            home: the home.
            configuration: None = that of `notifications.yaml` in the home.
            environment: has the credentials.
            clock: the time of day, and waiting.

        Raises:
            ConfigurationError: the file has a fault, a variable is not set, or a URL is none of its kind.
        """
        self._home, self._clock = home, clock or SystemClock()
        self._configuration = configuration or load_configuration(home.path / CONFIGURATION)
        self._channels = open_channels(self._configuration, environment)

    def run(self, stop: Stop) -> None:
        """Follow the ledger and send messages until `stop` is set.

        What fails on the way (a busy ledger, a full disk, a target that is down) is logged and repeated.
        A message that is being sent when it ends may be sent again at the next start.

        Raises:
            LazarettoError: at the start: there is no ledger, the home cannot be written, or another process
                notifies for it already.
        """
        with _alone(self._home):
            with Ledger.open(self._home.ledger, create=False) as ledger:
                self._warn_of_unknown_facilities(ledger)
            with Store(self._home.path / STORE):
                pass  # It is made, or refused, before any thread begins.
            threads = self._start(stop)
            try:
                self._keep(self._follow, "following the ledger", stop)
            finally:
                stop.set()
                end = time.monotonic() + END_S
                for thread in threads:
                    thread.join(max(end - time.monotonic(), 0))

    def _start(self, stop: Stop) -> list[threading.Thread]:
        """Start a thread for each target, so that none waits for another. They end with the process."""
        works: list[tuple[str, Callable[[Stop], None]]] = []
        for name, channel in self._channels.items():
            works.append((f"sending to {name}", partial(self._deliver, name, channel)))
            if isinstance(channel, MqttChannel):
                works.append((f"the state of the home for {name}", partial(self._mirror, name, channel)))
        threads = [
            threading.Thread(target=self._keep, args=(work, what, stop), name=what, daemon=True)
            for what, work in works
        ]
        for thread in threads:
            thread.start()
        return threads

    def _keep(self, work: Callable[[Stop], None], what: str, stop: Stop) -> None:
        """Do work that ends by the stop alone; begin it anew when ledger, queue or broker failed."""
        said, said_at = "", 0
        while not stop.is_set():
            try:
                work(stop)
            except (LazarettoError, SendError) as error:
                if stop.is_set():
                    return
                now = self._clock.now()
                if str(error) != said or abs(now - said_at) > SAY_AGAIN_S * SECOND:
                    logger.error("%s: it is repeated: %s", what, error)
                    said, said_at = str(error), now
                self._clock.wait(REPAIR_S, stop)

    def _follow(self, stop: Stop) -> None:
        escalated = pruned = 0
        with Ledger.open(self._home.ledger, create=False) as ledger, Store(self._home.path / STORE) as store:
            follower = Follower(ledger, store, self._configuration, self._clock)
            follower.begin()
            while not stop.is_set():
                more, now = follower.step(), self._clock.now()
                if abs(now - escalated) >= ESCALATE_S * SECOND:
                    follower.escalate()
                    escalated = now
                if abs(now - pruned) >= PRUNE_S * SECOND:
                    store.prune(now)
                    pruned = now
                if not more:
                    self._clock.wait(POLL_S, stop)

    def _deliver(self, name: str, channel: Channel, stop: Stop) -> None:
        with Store(self._home.path / STORE) as store:
            deliverer = Deliverer(name, self._configuration, channel, store, self._clock)
            while not stop.is_set():
                wait_s = deliverer.step()
                if wait_s:
                    self._clock.wait(wait_s, stop)
        channel.close()

    def _mirror(self, name: str, channel: MqttChannel, stop: Stop) -> None:
        with Ledger.open(self._home.ledger, create=False) as ledger, Store(self._home.path / STORE) as store:
            target = self._configuration.targets[name]
            mirror = Mirror(name, target, channel, ledger, store, self._clock)
            while not stop.is_set():
                mirror.step()
                self._clock.wait(MIRROR_S, stop)

    def _warn_of_unknown_facilities(self, ledger: Ledger) -> None:
        """A code that was misspelt would be a target that is told nothing, and looks as if all was well."""
        known = {camera.facility for camera in ledger.facilities.cameras()}
        for name, target in self._configuration.targets.items():
            for code in target.facilities or ():
                if known and code not in known:
                    hint = suggest(code, known)
                    logger.warning(
                        "targets.%s.facilities: %s is no facility of the ledger (%s)%s",
                        name,
                        code,
                        ", ".join(sorted(known)),
                        f"; {hint}" if hint else "",
                    )


def send_tests(
    configuration: Configuration, environment: Mapping[str, str] = os.environ, clock: Clock | None = None
) -> dict[str, str | None]:
    """Send a test message to each target at once; returns why it was not taken, or None, by target.

    Raises:
        ConfigurationError: a variable of the environment is not set, or a URL is none of its kind.
    """
    now = (clock or SystemClock()).now()
    channels = open_channels(configuration, environment)

    def send(name: str) -> str | None:
        lang = configuration.targets[name].lang or configuration.lang
        try:
            channels[name].send(trial_message(name, lang, now))
        except SendError as error:
            return str(error)
        finally:
            channels[name].close()
        return None

    with ThreadPoolExecutor(len(channels)) as pool:
        return dict(zip(channels, pool.map(send, channels), strict=True))


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Be the only process that notifies for a home: two would tell everything twice.

    Raises:
        LazarettoError: another one does already, or the home cannot be written.
    """
    path = home.path / "locks" / "notifications"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise LazarettoError(
            f"expected a home folder that can be written, got {home.path}: {error.strerror or error}"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LazarettoError(
                f"expected no other process that notifies for {home.path}, got process {file.read().strip()}"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
