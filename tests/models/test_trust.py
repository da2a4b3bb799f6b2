"""Weights of a user: what is said at their first use, and another file under the same path."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from models import registry, trust
from models.errors import ModelError
from tests.running import lazaretto, one_sentence


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("LAZARETTO_CACHE", str(folder))
    return folder


def written(path: Path, content: bytes = b"weights") -> Path:
    """A file that begins as one that torch has saved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"PK\x03\x04" + content)
    return path


def used(path: Path | str) -> registry.Weights:
    """Find weights, and load them."""
    weights = registry.resolve(str(path))
    registry.note_loaded(weights)
    return weights


def test_the_first_use_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path / "mine.pt")
    with caplog.at_level(logging.WARNING, "models"):
        first = used(path)
        assert len(caplog.messages) == 1
        assert "can run any program" in caplog.text
        assert first.sha256[:12] in caplog.text
        assert registry.resolve(str(path)) == first
        assert len(caplog.messages) == 1
        written(tmp_path / "other.pt")  # the same content elsewhere is another name
        registry.resolve(str(tmp_path / "other.pt"))
        assert len(caplog.messages) == 2


def test_our_own_weights_need_no_trust(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "models"):
        registry.resolve("person")
    assert not caplog.messages
    assert not cache.exists()
    with pytest.raises(ModelError, match="our own weights have published digests"):
        registry.accept("person")


def test_another_file_is_refused_until_it_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "mine.pt")
    first = used(path)
    written(path, b"other weights")
    changed = registry.sha256(path)
    monkeypatch.chdir(tmp_path)
    link = tmp_path / "link.pt"
    link.symlink_to(path)
    for name in (str(path), "mine.pt", "./mine.pt", str(tmp_path / "x" / ".." / "mine.pt"), str(link)):
        if ".." in name:
            (tmp_path / "x").mkdir()
        expected = f"expected SHA-256 {first.sha256[:12]}..., got {changed[:12]}.*lazaretto models trust"
        with pytest.raises(ModelError, match=expected):
            registry.resolve(name)
    assert registry.accept("mine.pt").sha256 == changed
    assert registry.resolve(str(path)).sha256 == changed
    written(path)
    with pytest.raises(ModelError, match="are not those used before"):
        registry.resolve(str(path))


def test_what_cannot_be_loaded_is_not_trusted(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "text.pt").write_text("a note")
    (tmp_path / "folder.pt").mkdir()
    ran = {
        name: lazaretto("models", "export", tmp_path / name, "--format", "openvino")
        for name in ("text.pt", "folder.pt", "nofile.pt")
    }
    assert "that torch has saved, got a file of another kind: " in one_sentence(ran["text.pt"])
    for name in ("folder.pt", "nofile.pt"):
        assert f"there is no file '{tmp_path / name}'" in one_sentence(ran[name])
    assert {item.code for item in ran.values()} == {2}
    # It begins as one that torch has saved, and is none.
    broken = lazaretto("models", "export", written(tmp_path / "broken.pt"), "--format", "openvino")
    first, refused = broken.err.splitlines()
    assert broken.code == 2 and "is used for the first time" in first
    assert "expected a network in" in refused and "UnpicklingError" not in refused
    assert not list(cache.glob("trusted/*"))


@pytest.mark.parametrize(
    ("name", "hint"), [("yolo11n.pt", True), ("yolov8x-pose.pt", True), ("nofile.pt", False)]
)
def test_a_name_of_ultralytics_is_told_from_a_file_that_is_missing(
    name: str, hint: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=f"there is no file '{name}'") as refused:
        registry.resolve(name)
    assert ("YOLO_OFFLINE=false" in str(refused.value)) is hint


@pytest.mark.parametrize("content", ["", "{", "[]", '{"path": "x"}'])
def test_a_digest_that_cannot_be_read_is_no_trust(tmp_path: Path, cache: Path, content: str) -> None:
    path = written(tmp_path / "mine.pt")
    used(path)
    [kept] = (cache / "trusted").iterdir()
    kept.write_text(content)
    with pytest.raises(ModelError, match=r"it cannot be read .*: remove that file"):
        registry.resolve(str(path))
    registry.accept(str(path))
    registry.resolve(str(path))


def test_where_no_digest_can_be_kept_this_is_said(
    tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path / "mine.pt")
    cache.write_text("a file in place of the folder")
    with caplog.at_level(logging.WARNING, "models"):
        assert used(path).path == path
    assert "another file there will not be noticed" in caplog.text
    with pytest.raises(ModelError, match=r"cannot keep the SHA-256 of .*mine.pt"):
        trust.trust(path, registry.sha256(path))


def test_the_command_accepts_a_file(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "mine.pt"
    shutil.copy(registry.resolve("person").path, path)
    used(path)
    written(path, b"other weights")
    evaluated = lazaretto("models", "export", path, "--format", "onnx", "--device", "cpu")
    assert evaluated.code == 2
    assert f"lazaretto models trust {path}" in one_sentence(evaluated)
    accepted = lazaretto("models", "trust", path)
    said = f"{path} is trusted from now on, and no other file there: SHA-256 {registry.sha256(path)}\n"
    assert (accepted.code, accepted.out) == (0, said)
    assert registry.resolve(str(path)).sha256 == registry.sha256(path)
    missing = lazaretto("models", "trust", tmp_path / "none.pt")
    assert missing.code == 2 and "the path of a .pt file" in one_sentence(missing)
