"""`lazaretto facility` as its user runs it: questions, answers in a file, old files, schemas."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pipelines.facilities.first_file import facility_text
from tests.running import FACILITY, ROOT, command, lazaretto, one_sentence
from zones.facility import Place, Role, load_facility, parse_facility

ANSWERS: dict[str, Any] = {
    "code": "LC-01",
    "name": "Cơ sở: số 1",
    "managing_body": "Ban #2",
    "cameras": [
        {"id": "gate", "places": ["gate", "yard"], "source": "rtsp://${U}:${P}@h/1"},
        {"id": "hall", "name": "Sảnh", "places": ["lobby"], "default_role": "resident"},
    ],
}
FIRST = (
    FACILITY.read_text("utf-8").replace("schema: 2", "schema: 1").replace("[yard, gate]", "yard # and gate")
)
FIRST = FIRST.replace("places: [lobby]", "place: lobby").replace("places:", "place:")


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, *arguments: str | Path) -> None:
        words = command(*arguments)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.environ.update(COLUMNS="200", TERM="dumb")
            os.execv(words[0], words)
        self._bytes = b""
        self._told = 0

    @property
    def seen(self) -> str:
        return self._bytes.decode("utf-8", "replace")

    def until(self, words: str) -> None:
        """Wait for these words behind those that were waited for before."""
        end = time.monotonic() + 60
        while (at := self._bytes.find(words.encode(), self._told)) < 0:
            assert time.monotonic() < end, self.seen
            if select.select([self.fd], [], [], 1)[0]:
                self._bytes += os.read(self.fd, 4096)
        self._told = at + len(words.encode())

    def answer(self, question: str, answer: str) -> None:
        self.until(question)
        os.write(self.fd, answer.encode())

    def end(self, key: str = "") -> int:
        """The exit code, once the command is over; `key` is pressed again while it does not react."""
        while True:
            if key and not select.select([self.fd], [], [], 5)[0]:
                # A terminal forgets what was typed just before a program asked.
                os.write(self.fd, key.encode())
                continue
            try:
                more = os.read(self.fd, 4096)
            except OSError:
                break
            if not more:
                break
            self._bytes += more
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def assert_only_the_gate_lacks_a_line(path: Path) -> None:
    """Nothing is drawn yet in a first file, so that a camera at a gate reports no one who passes it."""
    found = lazaretto("zones", "check", path, "--json").json
    warnings = [item for item in found if item["severity"] == "warning"]
    assert [(item["check"], item["camera"]) for item in warnings] == [("gate_without_line", "gate")]


def test_questions_on_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "facility.yaml"
    asked = Terminal("facility", "init", path)
    asked.answer("(mã cơ sở): ", "LC 01\n")
    asked.until("expected 1 to 64 of A-Z")
    asked.answer("(mã cơ sở): ", "LC-01\n")
    asked.answer("(tên cơ sở cách ly tập trung): ", "Cơ sở số 1\n")
    asked.answer("(cơ quan quản lý): ", "Ban chỉ huy\n")
    asked.answer("[Asia/Ho_Chi_Minh]: ", "Asia/Hochiminh\n")
    asked.until("did you mean 'Asia/Ho_Chi_Minh'?")
    asked.answer("[Asia/Ho_Chi_Minh]: ", "\n")
    asked.answer("(mã camera): ", "gate\n")
    asked.answer("(tên camera): ", "Cổng\n")
    asked.until("1 corridor (hành lang)")
    asked.answer("with commas: ", "toilet\n")
    asked.until("the order (4403/CV-BCD) forbids cameras inside rooms, toilets and bathrooms")
    asked.answer("with commas: ", "5, yard\n")
    asked.answer("(nguồn): ", "rtsp://admin:hunter2@10.0.0.5/1\n")
    asked.until("expected a source without credentials")
    asked.answer("(nguồn): ", "rtsp://${U}:${P}@10.0.0.5/1\n")
    asked.answer("[unknown]: ", "1\n")
    asked.answer("[y/N]: ", "y\n")
    asked.answer("(mã camera): ", "GATE\n")
    asked.until("expected a unique id")
    asked.answer("(mã camera): ", "hall\n")
    for question, answer in (
        ("(tên camera): ", ""),
        ("commas: ", "2"),
        ("(nguồn): ", ""),
        ("[unknown]: ", ""),
    ):
        asked.answer(question, answer + "\n")
    asked.answer("[y/N]: ", "\n")
    assert asked.end() == 0, asked.seen
    facility = load_facility(path)
    assert (facility.code, facility.name, facility.timezone) == ("LC-01", "Cơ sở số 1", "Asia/Ho_Chi_Minh")
    gate, hall = facility.cameras
    assert (gate.places, gate.default_role) == ((Place.GATE, Place.YARD), Role.RESIDENT)
    assert (hall.name, hall.places, hall.source) == ("", (Place.LOBBY,), None)
    assert_only_the_gate_lacks_a_line(path)


@pytest.mark.parametrize(
    ("key", "code", "words"), [("\x03", 130, "nothing was written"), ("\x04", 2, "got the end")]
)
def test_leaving_in_the_middle_writes_nothing(tmp_path: Path, key: str, code: int, words: str) -> None:
    asked = Terminal("facility", "init", tmp_path / "facility.yaml")
    asked.answer("(mã cơ sở): ", "LC-01\n")
    asked.answer("(tên cơ sở cách ly tập trung): ", key)
    assert asked.end(key) == code
    assert words in asked.seen and "Traceback" not in asked.seen
    assert asked.seen.count("lazaretto: ") == 1, "one sentence, the true one"
    assert list(tmp_path.iterdir()) == []


def test_answers_from_a_file(tmp_path: Path) -> None:
    path, answers = tmp_path / "facility.yaml", tmp_path / "answers.json"
    answers.write_text(json.dumps(ANSWERS), "utf-8")
    ran = lazaretto("facility", "init", path, "--answers", answers, "--schema", "lazaretto.schema.json")
    assert (ran.code, ran.err) == (0, "")
    text = path.read_text("utf-8")
    assert text.startswith("# yaml-language-server: $schema=lazaretto.schema.json\n")
    facility = parse_facility(text)
    assert (facility.name, facility.managing_body) == ("Cơ sở: số 1", "Ban #2")
    assert facility.camera("gate").source == "rtsp://${U}:${P}@h/1"
    assert_only_the_gate_lacks_a_line(path)
    again = lazaretto("facility", "init", path, "--answers", answers)
    assert again.code == 2 and "--force" in one_sentence(again)
    assert path.read_text("utf-8") == text
    assert lazaretto("facility", "init", path, "--answers", answers, "--force").code == 0
    assert path.read_text("utf-8") == text.split("\n", 1)[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"code": "a b"}, "line 2: code: expected 1 to 64"),
        ({"name": None}, "line 3: name: expected text, got nothing"),
        ({"cameras": []}, "cameras: expected at least 1 camera, got 0"),
        ({"cameras": [{"id": "a", "places": ["toilet"]}]}, "places[0]: expected one of the public areas"),
        (
            {"nmae": "x"},
            "expected one of the fields code, name, managing_body, timezone, cameras, got 'nmae'",
        ),
        ({"name": "rtsp://a:b@c/"}, "expected no credentials"),
    ],
)
def test_answers_that_are_none(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps(ANSWERS | change, indent=1), "utf-8")
    ran = lazaretto("facility", "init", tmp_path / "f.yaml", "--answers", answers)
    assert (ran.code, ran.out) == (2, "")
    assert words in one_sentence(ran)
    assert list(tmp_path.iterdir()) == [answers]


def test_without_a_terminal_or_answers(tmp_path: Path) -> None:
    words = command("facility", "init", tmp_path / "f.yaml")
    ran = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        "lazaretto: expected a terminal to ask questions on, or --answers FILE, got neither\n"
    )


def test_the_examples_in_the_comments_are_good() -> None:
    data = {
        "facility": {k: ANSWERS[k] for k in ("code", "name", "managing_body")},
        "cameras": ANSWERS["cameras"],
    }
    text = facility_text(data)
    keys = r"zones|lines|rules|schedules"
    shown = re.sub(rf"(?m)^( *)# (?=(?:{keys}):$|  )", r"\1", text)
    facility = parse_facility(shown)
    assert (
        facility.camera("gate").zones[0].id == "stairs" and facility.camera("gate").lines[0].id == "way-out"
    )
    assert set(facility.schedules) == {"curfew", "meal"}
    assert facility.rules == parse_facility(text).rules


def test_an_old_file_is_shown_and_then_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(FIRST, "utf-8")
    path.chmod(0o640)
    shown = lazaretto("facility", "migrate", path)
    assert shown.code == 0 and path.read_text("utf-8") == FIRST
    assert "-    place: yard # and gate\n+    places: [yard] # and gate\n" in shown.out
    assert lazaretto("facility", "migrate", path, "--write").code == 0
    assert path.read_text("utf-8") == FACILITY.read_text("utf-8").replace("[yard, gate]", "[yard] # and gate")
    assert path.stat().st_mode & 0o777 == 0o640
    assert "the newest" in lazaretto("facility", "migrate", path, "--write").out


def test_the_schema_is_printed_or_written(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    assert lazaretto("facility", "schema", "--output", path).code == 0
    schema = json.loads(path.read_text("utf-8"))
    assert lazaretto("facility", "schema").json == schema
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
