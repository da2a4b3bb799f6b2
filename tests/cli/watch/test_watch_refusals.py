"""What `lazaretto watch` refuses: before networks load, and without leaving anything behind."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.home import Home
from pipelines.locks import Use
from tests.running import lazaretto, lazaretto_here, one_sentence
from vision.networks import ModelBundle

FACILITY = (
    "schema: 2\nfacility: {code: L-1, name: Live, managing_body: Test}\ncameras:\n"
    "  - {id: yard, places: [yard], source: 'rtsp://127.0.0.1:9/yard'}\n"
    "  - {id: gate, places: [gate]}\n"
)


@pytest.fixture
def facility(tmp_path: Path) -> Path:
    path = tmp_path / "facility.yaml"
    path.write_text(FACILITY, "utf-8")
    return path


def left_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@contextmanager
def nothing_loaded_or_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No network loads within the block, and nothing is left in a folder."""

    def load(*arguments: object) -> None:
        raise AssertionError("networks load")

    before = left_in(folder)
    monkeypatch.setattr(ModelBundle, "load", load)
    yield
    assert left_in(folder) == before


def taken_port() -> tuple[socket.socket, int]:
    one = socket.socket()
    one.bind(("127.0.0.1", 0))
    one.listen()
    return one, int(one.getsockname()[1])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--camera", "lawn"], "expected a camera of L-1 (yard, gate), got lawn"),
        (["--camera", "gate"], "camera gate: expected a source in the facility file, got none"),
        (["--health", "9464"], "--health: expected an address such as 127.0.0.1:9464, or off, got '9464'"),
        (["--health", "127.0.0.1:99999"], "--health: expected to listen on 127.0.0.1:99999, got: "),
        (
            ["--ring", "{file}/ring"],
            "expected a folder for footage (--ring) that can be written, got {file}",
        ),
        (["--home", "{file}"], "expected a home folder that can be written, got {file}: Not a directory"),
        (["--record-gb", "1"], "expected --record with --record-days or --record-gb, got none"),
    ],
)
def test_bad_input_is_refused_before_networks_load(
    facility: Path, tmp_path: Path, words: Sequence[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    given = [word.format(file=file) for word in words]
    with nothing_loaded_or_left(tmp_path, monkeypatch):
        ran = lazaretto_here("watch", "--facility", facility, "--home", tmp_path / "home", *given)
    assert ran.code == 2 and one_sentence(ran).startswith("lazaretto: " + told.format(file=file)), ran.err


def test_a_port_in_use_is_refused_before_networks_load(
    facility: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, port = taken_port()
    words = ("watch", "--facility", facility, "--home", tmp_path / "home", "--health", f"127.0.0.1:{port}")
    with other, nothing_loaded_or_left(tmp_path, monkeypatch):
        ran = lazaretto_here(*words)
    told = f"lazaretto: --health: expected to listen on 127.0.0.1:{port}, got: Address already in use"
    assert (ran.code, one_sentence(ran)) == (2, told)


def test_a_home_in_use_and_a_bad_file_of_notifications_are_refused_before_networks_load(
    facility: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home")
    words = ("watch", "--facility", facility, "--home", home.path)
    with home.lock(Use("yard", "watch", time.time_ns() // 1000)):
        with nothing_loaded_or_left(tmp_path, monkeypatch):
            ran = lazaretto_here(*words)
        assert ran.code == 2 and "got the watch of process" in one_sentence(ran)
    (home.path / "notifications.yaml").write_text("targets: {nurses: {kind: pigeon}}\n", "utf-8")
    with nothing_loaded_or_left(tmp_path, monkeypatch):
        ran = lazaretto_here(*words)
    assert ran.code == 2 and "notifications.yaml" in ran.err


def test_a_refusal_takes_a_moment(facility: Path, tmp_path: Path) -> None:
    words = ("watch", "--facility", facility, "--home", tmp_path / "home", "--health", "nowhere")
    begun = time.monotonic()
    ran = lazaretto(*words)
    assert ran.code == 2 and "--health: expected an address" in ran.err
    # A second on an idle machine; loading the networks takes ten times as long.
    assert time.monotonic() - begun < 6 and not (tmp_path / "home").exists()
