"""The server as a process of its own, so that its cost can be told apart from what it feeds."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from evaluation.streaming.login import Login
from evaluation.streaming.mount import Mount
from evaluation.streaming.server import RtspServer
from zones.errors import LazarettoError


@dataclass(frozen=True)
class State:
    """What a server process did so far.

    Attributes:
        cpu_s: seconds of CPU time that it took.
        late_s: by how much a picture was late, at most; a machine that is overloaded.
        clients: of each mount, how many it serves.
        playing: of each mount, the file that it shows.
    """

    cpu_s: float
    late_s: float
    clients: Mapping[str, int]
    playing: Mapping[str, str]


class ServerProcess:
    """A server in another process; use it as a context manager.

    Attributes:
        port: where it listens.
    """

    def __init__(
        self, mounts: Mapping[str, Mapping[str, Any]], *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        """Prepare.

        Args:
            mounts: of each path, `media` (files) and options of `Options`; `login` is a list of user,
                password and scheme.
            host: address to listen at.
            port: port to listen at; 0 = any that is free.
        """
        self._mounts = mounts
        self.host, self.port = host, port
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> ServerProcess:
        """Start the process; returns when clients can connect.

        Raises:
            LazarettoError: it cannot serve these files, or not at this port.
        """
        command = [sys.executable, "-m", "evaluation.streaming", "-"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self.port = self._ask({"host": self.host, "port": self.port, "mounts": self._mounts})["port"]
        except LazarettoError:
            self.stop()
            raise
        return self

    def url(self, path: str) -> str:
        """The URL of a mount, without a login."""
        return f"rtsp://{self.host}:{self.port}/{path.strip('/')}"

    def set(self, path: str, **faults: Any) -> None:
        """Set attributes of the faults of a mount, such as `frozen=True`.

        Raises:
            LazarettoError: there is no such mount or fault, or the process has ended.
        """
        self._ask({"mount": path, "set": faults})

    def call(self, path: str, fault: str, *arguments: Any) -> None:
        """Call a method of the faults of a mount, such as `stop_mid_gop`, or of the mount, such as `switch`.

        Raises:
            LazarettoError: there is no such mount or method, it failed, or the process has ended.
        """
        self._ask({"mount": path, "call": fault, "arguments": arguments})

    def state(self) -> State:
        """What it did so far.

        Raises:
            LazarettoError: the process has ended.
        """
        return State(**self._ask({"state": True}))

    def _ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None, (
            "start it first"
        )
        try:
            process.stdin.write(json.dumps(question, default=str) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # what was answered last says why
        line = process.stdout.readline()
        if not line:
            raise LazarettoError(f"expected an answer of the RTSP server, but it ended with {process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise LazarettoError(answer["error"])
        return answer

    def stop(self) -> None:
        """End the process; a second call does nothing."""
        process, self._process = self._process, None
        if process is not None:
            process.communicate()  # it ends with its input

    def __enter__(self) -> ServerProcess:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


def serve(questions: IO[str], answers: IO[str]) -> None:
    """Serve until the questions end: the first line configures the server, each further one changes or asks.

    A line that begins with no question, or with one that fails, is answered by `{"error": ...}`.
    """
    server: RtspServer | None = None
    try:
        for line in questions:
            try:
                question = json.loads(line)
                if server is None:
                    server = configured(question).start()
                    answer: Mapping[str, Any] = {"port": server.port}
                else:
                    answer = _answer(server, question)
            except (LazarettoError, AttributeError, KeyError, TypeError, ValueError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), file=answers, flush=True)
    finally:
        if server is not None:
            server.stop()


def configured(configuration: Mapping[str, Any]) -> RtspServer:
    """A server as `ServerProcess` and the command line describe it; not started.

    Raises:
        LazarettoError: a file cannot be sent.
        TypeError: there is no such option.
    """
    server = RtspServer(configuration.get("host", "127.0.0.1"), configuration.get("port", 0))
    for path, options in configuration["mounts"].items():
        options = dict(options)
        media = options.pop("media")
        files = [Path(media)] if isinstance(media, str) else [Path(file) for file in media]
        if options.get("login"):
            options["login"] = Login(*options["login"])
        server.mount(path, files, **options)
    return server


def _answer(server: RtspServer, question: Mapping[str, Any]) -> Mapping[str, Any]:
    if "state" in question:
        mounts = server.mounts
        state = State(
            cpu_s=time.process_time(),
            late_s=max((mount.late_s for mount in mounts.values()), default=0.0),
            clients={path: len(mount.clients) for path, mount in mounts.items()},
            playing={path: str(mount.playing) for path, mount in mounts.items()},
        )
        return asdict(state)
    mount = server.mounts["/" + question["mount"].strip("/")]
    for name, value in question.get("set", {}).items():
        if not hasattr(mount.faults, name):
            raise LazarettoError(f"expected a fault of a mount, got {name!r}")
        setattr(mount.faults, name, value)
    if "call" in question:
        _call(mount, question["call"], question["arguments"])
    return {}


def _call(mount: Mount, name: str, arguments: Sequence[Any]) -> None:
    if name == "switch":
        files, *close = arguments
        paths = [files] if isinstance(files, str) else files
        mount.switch([Path(file) for file in paths], close=bool(close and close[0]))
    elif name == "close_clients":
        mount.close_clients()
    else:
        getattr(mount.faults, name)(*arguments)
