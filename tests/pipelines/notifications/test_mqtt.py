"""A real MQTT broker: messages, what is retained for Home Assistant, and the end of a program."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from incidents.coverage import Interval, State
from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.notifications.configuration import parse_configuration
from pipelines.notifications.notifier import send_tests
from pipelines.notifications.status import status_of
from tests.incidents.ledger.event_samples import FAULT
from tests.incidents.ledger.ledger_samples import facility
from tests.pipelines.notifications.notifying import tell, wait_until
from tests.pipelines.notifications.test_servers import free_port, notifying, now_event
from tests.running import ROOT
from vision.clock import SystemClock
from vision.frames import SECOND

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed (apt-get install)")


class Broker:
    """A broker with a login, and a client that keeps what it publishes."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        passwords = folder / "passwords"
        passwords.write_text("")
        tool = shutil.which("mosquitto_passwd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        assert tool is not None
        subprocess.run([tool, "-b", str(passwords), "box", "pa/ss"], check=True, capture_output=True)
        passwords.chmod(0o644)
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\nuser root\n"
        )
        self.got: list[tuple[str, str, bool]] = []
        self.start()

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen([MOSQUITTO, "-c", str(self._config)], stderr=subprocess.DEVNULL)
        wait_until(self._answers)
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set("box", "pa/ss")
        self._client.on_message = self._note
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.connect("127.0.0.1", self.port)
        self._client.loop_start()
        wait_until(self._client.is_connected)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _note(self, client: Client, userdata: Any, message: Any) -> None:
        self.got.append((message.topic, message.payload.decode(), message.retain))

    def stop(self) -> None:
        self._client.loop_stop()
        self._process.terminate()
        self._process.wait()

    def last(self, topic: str) -> str | None:
        """The newest payload of a topic."""
        return next((text for name, text, _ in reversed(self.got) if name == topic), None)

    def all(self, topic: str) -> list[Any]:
        return [json.loads(text) for name, text, _ in self.got if name == topic]

    @property
    def yaml(self) -> str:
        return f"targets: {{panel: {{kind: mqtt, url: 'mqtt://${{USER}}:${{PASS}}@127.0.0.1:{self.port}'}}}}"


LOGIN = {"USER": "box", "PASS": "pa/ss"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr("pipelines.notifications.notifier.MIRROR_S", 0.1)
    monkeypatch.setattr("pipelines.notifications.notifier.POLL_S", 0.05)
    monkeypatch.setattr("pipelines.notifications.delivering.POLL_S", 0.05)
    monkeypatch.setattr("pipelines.notifications.delivering.FIRST_WAIT_S", 0.2)
    monkeypatch.setattr("pipelines.notifications.notifier.REPAIR_S", 0.2)
    monkeypatch.setattr("pipelines.notifications.mqtt_channel.CONNECT_S", 1.0)
    folder = Home(tmp_path / "home")
    with Ledger.open(folder.ledger) as ledger:
        ledger.facilities.keep(facility(), SystemClock().now())
    return folder


def watch(home: Home, camera: str, state: State) -> None:
    """The last five seconds of a camera."""
    now = SystemClock().now()
    with Ledger.open(home.ledger) as ledger:
        ledger.coverage.record(camera, [Interval(camera, now - 5 * SECOND, now, state)])


def test_home_assistant_finds_a_device_per_facility_and_its_state(home: Home, broker: Broker) -> None:
    watch(home, "yard", State.ANALYSED)
    watch(home, "gate", State.IDLE)
    with notifying(home, broker.yaml, **LOGIN):
        wait_until(lambda: broker.last("lazaretto/LC-01/watched") == "ON")
        wait_until(lambda: broker.last("lazaretto/LC-01/cameras/gate") == "idle")
        assert broker.last("lazaretto/status") == "online"
        found = {topic: json.loads(text) for topic, text, _ in broker.got if topic.endswith("/config")}
        assert set(found) == {
            "homeassistant/binary_sensor/lazaretto_LC-01/watched/config",
            "homeassistant/sensor/lazaretto_LC-01/open_incidents/config",
            "homeassistant/sensor/lazaretto_LC-01/last_incident/config",
            "homeassistant/sensor/lazaretto_LC-01/camera_yard/config",
            "homeassistant/sensor/lazaretto_LC-01/camera_gate/config",
        }
        assert len({one["unique_id"] for one in found.values()}) == 5
        for one in found.values():
            assert one["device"]["name"] == "Cơ sở cách ly Nậm Loỏng"
            assert one["availability_topic"] == "lazaretto/status"
            assert one["state_topic"].startswith("lazaretto/LC-01/")
        wait_until(lambda: broker.last("lazaretto/LC-01/cameras/yard") == "analysed")
        assert broker.last("lazaretto/LC-01/open_incidents") == "0"
        tell(home, [now_event(1), FAULT])
        watch(home, "gate", State.OFFLINE)
        wait_until(lambda: broker.last("lazaretto/LC-01/open_incidents") == "1")
        wait_until(lambda: bool(broker.all("lazaretto/messages")))
        wait_until(lambda: broker.last("lazaretto/LC-01/last_incident/attributes") is not None)
        last = json.loads(broker.last("lazaretto/LC-01/last_incident/attributes") or "")
        assert (last["incident"], last["kind"]) == (now_event(1).incident, "zone_crossing")
        message = broker.all("lazaretto/messages")[0]
        assert message["key"].startswith(f"{now_event(1).incident}/opened/")
        assert message["title"].startswith("Nghi vấn vi phạm")
    assert broker.last("lazaretto/status") == "offline"


def test_what_is_not_known_is_not_watched_and_maintenance_does_not_count(home: Home, broker: Broker) -> None:
    watch(home, "yard", State.ANALYSED)
    with notifying(home, broker.yaml, **LOGIN):
        wait_until(lambda: broker.last("lazaretto/LC-01/watched") == "OFF")
        wait_until(lambda: broker.last("lazaretto/LC-01/cameras/gate") == "unknown")
        watch(home, "gate", State.PLANNED)
        wait_until(lambda: broker.last("lazaretto/LC-01/watched") == "ON")
        watch(home, "yard", State.ANALYSED)


def test_a_broker_that_was_away_gets_everything_when_it_is_back(home: Home, broker: Broker) -> None:
    with notifying(home, broker.yaml, **LOGIN):
        wait_until(lambda: broker.last("lazaretto/LC-01/watched") == "OFF")
        broker.stop()
        tell(home, [now_event(1)])
        wait_until(lambda: any("broker" in one.error for one in status_of(home).targets))
        broker.got.clear()
        broker.start()  # without a memory of what it retained
        wait_until(lambda: len(broker.all("lazaretto/messages")) == 1, 40)
        wait_until(lambda: broker.last("lazaretto/LC-01/cameras/gate") == "unknown", 40)
        assert any(topic.endswith("watched/config") for topic, *_ in broker.got)


def test_a_broker_that_forgot_is_told_again_though_nothing_changed(home: Home, broker: Broker) -> None:
    with notifying(home, broker.yaml, **LOGIN):
        wait_until(lambda: broker.last("lazaretto/LC-01/cameras/gate") == "unknown")
        broker.stop()
        broker.got.clear()
        broker.start()
        wait_until(lambda: broker.last("lazaretto/LC-01/cameras/gate") == "unknown", 30)


def test_a_camera_that_is_gone_is_removed_from_the_device(home: Home, broker: Broker) -> None:
    config = "homeassistant/sensor/lazaretto_LC-01/camera_gate/config"
    with notifying(home, broker.yaml, **LOGIN):
        wait_until(lambda: bool(broker.last("lazaretto/LC-01/cameras/gate")))
    from zones.facility import parse_facility

    text = facility().text.replace("  - {id: gate, places: [gate]}\n", "")
    with Ledger.open(home.ledger) as ledger:
        ledger.facilities.keep(parse_facility(text), SystemClock().now())
    with notifying(home, broker.yaml, **LOGIN):
        wait_until(lambda: broker.last(config) == "")
        wait_until(lambda: broker.last("lazaretto/LC-01/cameras/gate") == "")
        wait_until(lambda: broker.last("lazaretto/LC-01/cameras/yard") == "unknown")


def test_the_broker_says_that_a_program_that_was_killed_is_offline(home: Home, broker: Broker) -> None:
    (home.path / "notifications.yaml").write_text(broker.yaml, "utf-8")
    program = subprocess.Popen(
        [sys.executable, "-m", "cli", "notify", "run", "--home", str(home.path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **LOGIN},
    )
    wait_until(lambda: broker.last("lazaretto/status") == "online", 60)
    program.send_signal(signal.SIGKILL)
    program.wait()
    wait_until(lambda: broker.last("lazaretto/status") == "offline")


def test_a_wrong_password_is_said_without_it(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.notifications.mqtt_channel.CONNECT_S", 1.0)
    wrong = send_tests(parse_configuration(broker.yaml, "n.yaml"), {"USER": "box", "PASS": "w/rong"})
    assert wrong["panel"] is not None
    assert "Not authorized" in wrong["panel"] and "rong" not in wrong["panel"]
    assert send_tests(parse_configuration(broker.yaml, "n.yaml"), LOGIN) == {"panel": None}
