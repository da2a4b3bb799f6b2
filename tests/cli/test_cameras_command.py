"""`lazaretto cameras` and `lazaretto doctor`: a real server, in processes as a user runs them."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from evaluation.streaming import Login, RtspServer
from tests.running import ROOT, Ran, command, lazaretto, lazaretto_here, one_sentence
from tests.streaming import clip

PASSWORD = "p@ss:word/1"
KEYS = {"CAM_USER": "watch", "CAM_PASSWORD": PASSWORD}
NO_KEYS = {"CAM_USER": "", "CAM_PASSWORD": ""}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    folder = tmp_path_factory.mktemp("clips")
    login = Login("watch", PASSWORD)
    clips = {
        "main": clip(folder / "main.mp4", frames=250),
        "sub": clip(folder / "sub.mp4", frames=250, size=(160, 120)),
        "wide": clip(folder / "wide.mp4", frames=250, size=(320, 180)),
        "h265": clip(folder / "h265.mp4", "h265"),
    }
    with RtspServer() as running:
        for name, path in clips.items():
            running.mount(f"/{name}", path, login=login)
        running.mount("/ahead", clips["main"], login=login, start_s=1.0)
        yield running


def facility(folder: Path, server: RtspServer, main: str = "/main", substream: str | None = None) -> Path:
    """A facility file with one camera."""

    def address(path: str) -> str:
        place = server.url(path).rpartition("@")[2].removeprefix("rtsp://")
        return f"rtsp://${{CAM_USER}}:${{CAM_PASSWORD}}@{place}"

    file = folder / "facility.yaml"
    further = "" if substream is None else f"    substream: {address(substream)}\n"
    file.write_text(
        "schema: 2\nfacility: {code: L-1, name: Live, managing_body: Test}\ncameras:\n"
        "  - id: yard\n    name: Behind the house\n    places: [yard]\n"
        f"    source: {address(main)}\n{further}",
        "utf-8",
    )
    return file


def look(file: Path, *arguments: str | Path, **environment: str) -> Ran:
    """Test the cameras of a file; no password is ever printed."""
    words = ("cameras", "test", "--facility", file, "--seconds", "3", "--json", *arguments)
    ran = lazaretto(*words, **{**KEYS, **environment})
    assert PASSWORD not in ran.out + ran.err and "p%40ss" not in ran.out + ran.err
    return ran


def texts(ran: Ran, level: str) -> list[str]:
    return [one["text"] for test in ran.json for one in test["findings"] if one["level"] == level]


def test_lists_cameras_without_credentials_and_names_missing_variables(
    tmp_path: Path, server: RtspServer
) -> None:
    file = facility(tmp_path, server, substream="/sub")
    [ready] = lazaretto("cameras", "list", "--facility", file, "--json", **KEYS).json
    assert (ready["id"], ready["name"], ready["kind"], ready["fault"]) == (
        "yard",
        "Behind the house",
        "rtsp",
        "",
    )
    assert ready["address"] == f"rtsp://127.0.0.1:{server.port}/main"
    assert ready["substream"].endswith("/sub")
    shown = lazaretto("cameras", "list", "--facility", file, **KEYS).out
    assert "address complete" in shown and "ready" not in shown, "nothing was connected to"
    [lacking] = lazaretto("cameras", "list", "--facility", file, "--json", **NO_KEYS).json
    assert "CAM_PASSWORD" in lacking["fault"] and "CAM_USER" in lacking["fault"]


def test_tells_what_a_camera_sends_and_saves_a_picture(tmp_path: Path, server: RtspServer) -> None:
    file, picture = facility(tmp_path, server, substream="/sub"), tmp_path / "yard.jpg"
    ran = look(file, "yard", "--snapshot", picture)
    assert ran.code == 0, ran.out + ran.err
    streams = ran.json[0]["streams"]
    main = streams["main"]
    assert (main["codec"], main["size"], main["transport"]) == ("h264", [320, 240], "tcp")
    assert main["rate_measured"] == pytest.approx(25, abs=1.5)
    assert main["key_interval_s"] == pytest.approx(1.0, abs=0.15)
    assert main["bits_per_second"] > 10_000
    assert main["can_be_kept"] and main["plays_in_browser"] and not main["damage"]
    assert abs(main["camera_clock_s"]) < 1.0
    assert streams["substream"]["size"] == [160, 120]
    assert abs(ran.json[0]["substream_offset_s"]) <= 0.2
    assert cv2.imread(str(picture)).shape == (240, 320, 3)
    before = picture.read_bytes()
    again = look(file, "yard", "--snapshot", picture)
    assert again.code == 2 and "exists" in one_sentence(again)
    assert picture.read_bytes() == before


def test_tells_that_the_substream_shows_another_moment_or_shape(tmp_path: Path, server: RtspServer) -> None:
    ran = look(facility(tmp_path, server, substream="/ahead"))
    assert ran.code == 3, ran.out
    assert ran.json[0]["substream_offset_s"] == pytest.approx(-1.0, abs=0.25)
    assert any("before the main stream" in text for text in texts(ran, "warning"))
    ran = look(facility(tmp_path, server, substream="/wide"))
    assert ran.code == 3 and any("different shapes" in text for text in texts(ran, "warning"))


def test_tells_of_damage_and_a_wrong_clock(tmp_path: Path, server: RtspServer) -> None:
    faults = server.mounts["/main"].faults
    faults.loss, faults.clock_offset_s = 0.05, 30.0
    try:
        ran = look(facility(tmp_path, server), "--seconds", "6")
    finally:
        faults.clear()
    assert ran.code == 3, ran.out
    assert "damaged" in " ".join(texts(ran, "warning"))
    assert ran.json[0]["streams"]["main"]["camera_clock_s"] == pytest.approx(30.0, abs=0.5)
    assert any("ahead of the computer's" in text for text in texts(ran, "warning"))


def test_tells_that_a_camera_delivers_less_than_it_states(tmp_path: Path, server: RtspServer) -> None:
    faults = server.mounts["/main"].faults
    faults.delivery_rate = 0.6
    try:
        ran = look(facility(tmp_path, server))
    finally:
        faults.clear()
    assert ran.json[0]["streams"]["main"]["rate_measured"] == pytest.approx(15, abs=1.5)
    assert ran.code == 3 and any("states 25.0" in text for text in texts(ran, "warning"))


def test_h265_is_kept_and_transcoded_for_viewing(tmp_path: Path, server: RtspServer) -> None:
    ran = look(facility(tmp_path, server, "/h265"))
    main = ran.json[0]["streams"]["main"]
    assert ran.code == 0 and main["can_be_kept"] and not main["plays_in_browser"]
    assert any("transcoded" in text for text in texts(ran, "ok"))


@pytest.mark.parametrize(
    ("path", "fault", "password", "cause"),
    [
        ("/main", {}, "wrong", "authentication"),
        ("/none", {}, PASSWORD, "not found"),
        ("/main", {"sessions_full": 453}, PASSWORD, "too many sessions"),
        ("/main", {"no_packets": True}, PASSWORD, "timeout"),
        ("/main", {"silent": True}, PASSWORD, "timeout"),
        ("refused", {}, PASSWORD, "refused"),
    ],
)
def test_says_why_a_camera_gives_nothing_and_what_to_do(
    path: str, fault: dict[str, object], password: str, cause: str, tmp_path: Path, server: RtspServer
) -> None:
    file = facility(tmp_path, server, "/main")
    text = file.read_text("utf-8")
    if path == "refused":
        text = text.replace(f":{server.port}/", ":9/")
    file.write_text(text.replace("/main", path) if path.startswith("/") else text, "utf-8")
    faults = server.mounts["/main"].faults
    for name, value in fault.items():
        setattr(faults, name, value)
    begun = time.monotonic()
    try:
        ran = look(file, CAM_PASSWORD=password)
    finally:
        faults.clear()
    assert ran.code == 4, ran.out + ran.err
    assert ran.json[0]["streams"]["main"]["cause"] == cause
    [finding] = [one for one in ran.json[0]["findings"] if one["level"] == "fault"]
    assert finding["advice"]
    assert time.monotonic() - begun < 60


def test_an_address_without_a_facility_file(server: RtspServer) -> None:
    ran = lazaretto("cameras", "test", "rtsp://watch:secret@127.0.0.1:9/stream")
    assert ran.code == 4 and "refused" in ran.out and "secret" not in ran.out + ran.err


def test_ctrl_c_ends_a_test_soon(tmp_path: Path, server: RtspServer) -> None:
    words = command("cameras", "test", "--facility", facility(tmp_path, server), "--seconds", "300")
    with subprocess.Popen(words, cwd=ROOT, env={**os.environ, **KEYS}, stderr=subprocess.PIPE) as process:
        mount, begun = server.mounts["/main"], time.monotonic()
        while not mount.clients and time.monotonic() - begun < 30:
            time.sleep(0.05)
        assert mount.clients, "expected a connection"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        begun = time.monotonic()
        while mount.clients and time.monotonic() - begun < 10:
            time.sleep(0.05)
        assert not mount.clients, "expected the reader to end, too"


def test_doctor_looks_at_the_box_and_its_cameras(tmp_path: Path, server: RtspServer) -> None:
    file, home = facility(tmp_path, server), tmp_path / "home"
    words = ("doctor", "--facility", file, "--home", home, "--cameras", "--seconds", "2", "--json")
    ran = lazaretto(*words, **KEYS)
    found = {one["subject"]: one for one in ran.json["findings"]}
    assert ran.code == {"ok": 0, "warning": 3}[ran.json["level"]], ran.out
    assert not home.exists(), "nothing is changed"
    for subject in ("cores", "networks", "versions", "ledger", "facility", "open files", "yard main"):
        assert found[subject]["level"] == "ok", found[subject]
    assert "MB/s" in found["disk"]["text"] and "clock" in found and "shared memory" in found


def test_doctor_names_what_is_broken_and_what_to_do(tmp_path: Path, server: RtspServer) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with sqlite3.connect(home / "ledger.db") as other:
        other.execute("CREATE TABLE other (id INTEGER)")
    (home / "notifications.yaml").write_text("targets: 3\n", "utf-8")
    file = tmp_path / "facility.yaml"
    file.write_text("schema: 2\n", "utf-8")
    ran = lazaretto("doctor", "--facility", file, "--home", home, "--json")
    assert ran.code == 4 and ran.json["level"] == "fault"
    faults = {one["subject"]: one for one in ran.json["findings"] if one["level"] == "fault"}
    assert {"ledger", "notifications", "facility"} <= set(faults)
    assert all(one["advice"] for one in faults.values())


def test_doctor_counts_one_as_one(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "facility.yaml"
    home.mkdir()
    text = "targets: {duty: {kind: apprise, url: 'json://127.0.0.1/'}}\n"
    (home / "notifications.yaml").write_text(text, "utf-8")
    file.write_text(
        "schema: 2\nfacility: {code: L-1, name: Live, managing_body: Test}\ncameras:\n"
        "  - {id: toilet, places: [yard], source: 'rtsp://127.0.0.1:9/yard'}\n",
        "utf-8",
    )
    ran = lazaretto_here("doctor", "--facility", file, "--home", home, "--json")
    texts = {one["subject"]: one["text"] for one in ran.json["findings"]}
    assert f"{file}: 1 camera, version " in texts["facility"]
    assert "; 1 warning, in line 4: " in texts["facility"]
    assert texts["notifications"].endswith("is readable, 1 target")
