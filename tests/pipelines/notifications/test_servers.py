"""Real servers on this machine: mail, webhooks that fail, one that is slow, and kills between two steps."""

from __future__ import annotations

import base64
import email
import email.policy
import logging
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from aiosmtpd.controller import Controller

from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.notifications.configuration import parse_configuration
from pipelines.notifications.notifier import Notifier, send_tests
from pipelines.notifications.status import status_of
from pipelines.notifications.store import STORE
from tests.incidents.ledger.event_samples import event
from tests.pipelines.notifications.notifying import Web, tell, wait_until
from tests.running import ROOT
from vision.clock import Stop, SystemClock

PASSWORD = "s3cret/p@ss word"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    with Ledger.open(tmp_path / "ledger.db"):
        pass
    return Home(tmp_path)


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.notifications.delivering.FIRST_WAIT_S", 0.2)
    monkeypatch.setattr("pipelines.notifications.delivering.POLL_S", 0.05)
    monkeypatch.setattr("pipelines.notifications.notifier.POLL_S", 0.05)


@contextmanager
def notifying(home: Home, yaml: str, **environment: str) -> Iterator[None]:
    """A notifier at work in a thread of its own."""
    stop = Stop()
    notifier = Notifier(home, parse_configuration(yaml, "n.yaml"), environment)
    thread = threading.Thread(target=notifier.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: status_of(home).behind is not None)
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def now_event(person: int = 1, kind: str = "opened", **changes: Any) -> Any:
    """An event of this moment."""
    from tests.incidents.ledger.ledger_samples import T0
    from vision.frames import SECOND

    seconds = (SystemClock().now() - T0) // SECOND
    return event(kind, seconds, identity=(person,), **changes)


def keys(web: Web) -> list[str]:
    """The key that each message names in its last line."""
    return [one.content["message"].splitlines()[-1].partition(": ")[2] for one in web.taken]


class _Mailbox:
    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"


def test_a_mail_arrives_with_vietnamese_text(home: Home) -> None:
    box = _Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=free_port())
    server.start()
    try:
        url = f"mailto://127.0.0.1:{server.port}?from=box@example.vn&to=duty@example.vn&mode=insecure"
        with notifying(home, f"targets: {{duty: {{kind: apprise, url: '{url}'}}}}"):
            tell(home, [now_event()])
            wait_until(lambda: len(box.mails) == 1)
    finally:
        server.stop()
    (mail,) = box.mails
    assert mail["To"] == "duty@example.vn"
    assert str(mail["Subject"]).startswith("Nghi vấn vi phạm (trung bình)")
    body = mail.get_body(("plain", "html"))
    assert body is not None and "Cơ sở cách ly Nậm Loỏng" in body.get_content()
    assert not list(mail.iter_attachments())


def test_a_webhook_that_fails_at_first_gets_each_message_once(home: Home) -> None:
    with Web(answers=[500, 503, 429]) as web:
        with notifying(home, f"targets: {{duty: {{kind: apprise, url: '{web.url}'}}}}"):
            tell(home, [now_event(1), now_event(2)])
            wait_until(lambda: len(web.taken) == 2)
            wait_until(lambda: status_of(home).targets[0].sent == 2)
        with notifying(home, f"targets: {{duty: {{kind: apprise, url: '{web.url}'}}}}"):
            tell(home, [now_event(3)])
            wait_until(lambda: len(web.taken) == 3)
    assert len(web.got) == 6
    assert len(set(keys(web))) == 3


def test_a_slow_target_delays_no_other(home: Home) -> None:
    with Web() as slow, Web() as quick:
        slow.gate.clear()
        yaml = (
            f"targets:\n  slow: {{kind: apprise, url: '{slow.url}?rto=20'}}\n"
            f"  quick: {{kind: apprise, url: '{quick.url}'}}\n"
        )
        with notifying(home, yaml):
            tell(home, [now_event(n) for n in range(1, 6)])
            wait_until(lambda: len(quick.taken) == 5)
            assert len(slow.got) == 1 and not slow.taken
            slow.gate.set()
            wait_until(lambda: len(slow.taken) == 5)


def test_nothing_but_the_target_is_reached_and_a_redirect_is_not_followed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[object] = []
    connect = socket.socket.connect

    def noting(self: socket.socket, address: Any) -> None:
        reached.append(address)
        connect(self, address)

    names: list[object] = []
    getaddrinfo = socket.getaddrinfo

    def looking_up(host: Any, *arguments: Any, **options: Any) -> Any:
        names.append(host)
        return getaddrinfo(host, *arguments, **options)

    monkeypatch.setattr(socket.socket, "connect", noting)
    monkeypatch.setattr(socket, "getaddrinfo", looking_up)
    with Web(answers=[302]) as web:
        yaml = f"targets: {{duty: {{kind: apprise, url: '{web.url}'}}}}"
        refused = send_tests(parse_configuration(yaml, "n.yaml"), {})
        assert refused["duty"] is not None and "302" in refused["duty"]
        assert send_tests(parse_configuration(yaml, "n.yaml"), {}) == {"duty": None}
        assert set(reached) == {("127.0.0.1", web.port)} and set(names) == {"127.0.0.1"}


def test_credentials_come_from_the_environment_and_are_in_no_file_and_no_message(
    home: Home, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with Web(answers=[401] * 3) as web, caplog.at_level(logging.DEBUG):
        url = f"json://${{USER_NAME}}:${{PASS}}@127.0.0.1:{web.port}/${{TOKEN}}"
        yaml = f"targets: {{duty: {{kind: apprise, url: '{url}'}}}}"
        environment = {"USER_NAME": "an", "PASS": PASSWORD, "TOKEN": "tok/en+77"}
        with notifying(home, yaml, **environment):
            tell(home, [now_event()])
            wait_until(lambda: len(web.got) >= 2)
            assert "401" in status_of(home).targets[0].error
            wait_until(lambda: len(web.taken) == 1)
    header = web.taken[0].header["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(header).decode() == f"an:{PASSWORD}"
    assert unquote(web.taken[0].path).rstrip("/") == "/tok/en+77"
    ours = [one.getMessage() for one in caplog.records]
    printed = "".join(capfd.readouterr())
    stored = b"".join(path.read_bytes() for path in home.path.rglob("*") if path.is_file())
    for secret in (PASSWORD, "s3cret", "tok/en", "tok%2Fen"):
        assert secret not in printed + "\n".join(ours)
        assert secret.encode() not in stored


RUN = """
import sys
import pipelines.notifications.delivering as delivering
from cli.main import main
delivering.FIRST_WAIT_S = 0.2
sys.argv = ["lazaretto", "notify", "run", "--home", sys.argv[1]]
main()
"""


def started(home: Home) -> subprocess.Popen[str]:
    """`lazaretto notify run` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(home.path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_kill_between_sending_and_noting_it_sends_it_again_with_the_same_key(home: Home) -> None:
    with Web() as web:
        (home.path / "notifications.yaml").write_text(
            f"targets: {{duty: {{kind: apprise, url: '{web.url}'}}}}", "utf-8"
        )
        first = started(home)
        wait_until(lambda: (home.path / STORE).exists() and status_of(home).behind is not None, 60)
        # The server has the message, and has not answered when the process is killed.
        web.gate.clear()
        tell(home, [now_event()])
        wait_until(lambda: len(web.got) == 1)
        first.send_signal(signal.SIGKILL)
        first.wait()
        web.gate.set()
        tell(home, [now_event(2)])  # while no one follows
        second = started(home)
        wait_until(lambda: len(web.taken) == 3, 60)
        wait_until(lambda: status_of(home).targets[0].sent == 2)
        second.send_signal(signal.SIGTERM)
        assert second.wait(20) == 130
        assert second.stderr is not None
        assert "stopping, and what was not sent yet is kept" in second.stderr.read()
    got = keys(web)
    assert got[0] in got[1:] and len(set(got)) == 2


@pytest.mark.slow
def test_kills_at_any_moment_lose_no_message(home: Home) -> None:
    """The process is killed again and again while messages are queued and sent."""
    with Web(delay_s=0.02) as web:
        limit = "most_per_hour: 3600"
        (home.path / "notifications.yaml").write_text(
            f"targets: {{duty: {{kind: apprise, url: '{web.url}', {limit}}}}}", "utf-8"
        )
        running = started(home)
        wait_until(lambda: (home.path / STORE).exists() and status_of(home).behind is not None, 60)
        for round_ in range(4):
            tell(home, [now_event(10 * round_ + n) for n in range(1, 9)])
            wait_until(lambda: len(web.taken) > 8 * round_, 60)  # noqa: B023
            running.kill()
            running.wait()
            running = started(home)
        wait_until(lambda: len(set(keys(web))) == 32, 60)
        running.kill()
        running.wait()


def test_a_fault_of_the_queue_is_survived(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    """Another process holds the queue for longer than anyone waits for it."""
    with pytest.MonkeyPatch.context() as patch, Web() as web:
        patch.setattr("pipelines.notifications.store.BUSY_S", 0.1)
        patch.setattr("pipelines.notifications.notifier.REPAIR_S", 0.2)
        with notifying(home, f"targets: {{duty: {{kind: apprise, url: '{web.url}'}}}}"):
            lock = sqlite3.connect(home.path / STORE, isolation_level=None)
            lock.execute("BEGIN EXCLUSIVE")
            tell(home, [now_event()])
            wait_until(lambda: "it is repeated" in caplog.text)
            assert not web.got
            lock.execute("ROLLBACK")
            lock.close()
            wait_until(lambda: len(web.taken) == 1)


def test_a_fault_of_a_plugin_is_a_message_that_was_not_taken(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def __init__(self, *_: object) -> None:
            self.calls = 0

        def send(self, draft: object) -> None:
            self.calls += 1
            if self.calls == 1:
                raise RuntimeError(PASSWORD)

        def close(self) -> None:
            pass

    monkeypatch.setattr("pipelines.notifications.channels.AppriseChannel", Broken)
    with notifying(home, "targets: {duty: {kind: apprise, url: 'json://127.0.0.1/'}}"):
        tell(home, [now_event()])
        wait_until(lambda: any(one.sent == 1 for one in status_of(home).targets))


def test_a_facility_that_the_ledger_does_not_know_is_warned_of(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    tell(home, [now_event()])
    with notifying(home, "targets: {duty: {kind: apprise, url: 'json://x/', facilities: [LC-1, LC-01]}}"):
        pass
    assert "LC-1 is no facility of the ledger (LC-01); did you mean 'LC-01'?" in caplog.text


def test_the_end_does_not_wait_for_a_target_that_does_not_answer(home: Home) -> None:
    with Web() as web:
        web.gate.clear()
        yaml = f"targets: {{duty: {{kind: apprise, url: '{web.url}?rto=50'}}}}"
        with notifying(home, yaml):
            tell(home, [now_event()])
            wait_until(lambda: len(web.got) == 1)
            asked = time.monotonic()
        assert time.monotonic() - asked < 6
        web.gate.set()
        with notifying(home, yaml):
            wait_until(lambda: bool(web.taken))


def test_two_processes_do_not_notify_for_one_home(home: Home) -> None:
    yaml = "targets: {duty: {kind: apprise, url: 'json://127.0.0.1/'}}"
    with (
        notifying(home, yaml),
        pytest.raises(Exception, match=f"expected no other process .* got process {os.getpid()}"),
    ):
        Notifier(home, parse_configuration(yaml, "n.yaml"), {}).run(Stop())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
