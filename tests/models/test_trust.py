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
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_first_use_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path / "mine.pt")
    with caplog.at_level(logging.WARNING, "models"):
        first = registry.resolve(str(path))
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
    first = registry.resolve(str(path))
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


@pytest.mark.parametrize("content", ["", "{", "[]", '{"path": "x"}'])
def test_a_digest_that_cannot_be_read_is_no_trust(tmp_path: Path, cache: Path, content: str) -> None:
    path = written(tmp_path / "mine.pt")
    registry.resolve(str(path))
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
        assert registry.resolve(str(path)).path == path
    assert "another file there will not be noticed" in caplog.text
    with pytest.raises(ModelError, match=r"cannot keep the SHA-256 of .*mine.pt"):
        trust.trust(path, registry.sha256(path))


def test_the_command_accepts_a_file(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "mine.pt"
    shutil.copy(registry.resolve("person").path, path)
    registry.resolve(str(path))
    written(path, b"other weights")
    evaluated = lazaretto("models", "export", path, "--format", "onnx", "--device", "cpu")
    assert evaluated.code == 2
    assert f"lazaretto models trust {path}" in one_sentence(evaluated)
    accepted = lazaretto("models", "trust", path)
    assert (accepted.code, accepted.out) == (0, f"{path}: SHA-256 {registry.sha256(path)}\n")
    assert registry.resolve(str(path)).sha256 == registry.sha256(path)
    missing = lazaretto("models", "trust", tmp_path / "none.pt")
    assert missing.code == 2 and "the path of a .pt file" in one_sentence(missing)
