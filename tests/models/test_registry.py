from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from models import registry
from models.errors import ModelError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "weights"
    shutil.copytree(registry.FOLDER, copy)
    monkeypatch.setattr(registry, "FOLDER", copy)
    monkeypatch.setattr(registry, "MANIFEST", copy / "manifest.json")
    return copy


def test_our_weights_are_complete_small_and_have_a_card() -> None:
    found = {weights.name: weights for weights in registry.installed()}
    assert set(found) >= {"person", "face", "mask"}
    assert found["person"].classes == ("person",)
    assert found["face"].classes == ("face",)
    assert found["mask"].classes == ("masked", "unmasked", "incorrect", "none")
    for weights in found.values():
        assert weights.path.stat().st_size <= 7 * 1024 * 1024
        card = Path(registry.__file__).parent / "cards" / f"{weights.name}.md"
        assert weights.sha256[:12] in card.read_text()


def test_our_weights_have_no_paths_of_the_training_machine() -> None:
    # A training leaves its data set, its checkpoints' folder and the home of its user in a checkpoint.
    for weights in registry.installed():
        content = weights.path.read_bytes()
        assert not re.findall(rb"/[\w.-]+/[\w./-]*(?:data\.yaml|weights/|runs?/)", content)
        assert not re.findall(rb"/(?:home|tmp|root)/\w", content)


def test_a_tampered_file_is_refused(folder: Path) -> None:
    path = folder / "person.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ModelError, match="are not the published ones: expected SHA-256"):
        registry.resolve("person")


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "person.pt").unlink()
    with pytest.raises(ModelError, match="found none: reinstall"):
        registry.resolve("person")


@pytest.mark.parametrize("name", ["nobody", "README.md", ""])
def test_an_unknown_name_is_refused_without_a_download(name: str) -> None:
    with pytest.raises(ModelError, match=r"expected weights named .*face, mask, person or the path"):
        registry.resolve(name)


def test_a_file_of_the_user_works_and_has_its_own_digest(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "person.pt", tmp_path / "mine.pt")
    mine = registry.resolve(str(tmp_path / "mine.pt"))
    assert (mine.name, mine.ours, mine.sha256) == ("mine", False, registry.resolve("person").sha256)


def test_registering_replaces_the_digest(folder: Path) -> None:
    (folder / "person.pt").write_bytes(b"other weights")
    kept = registry.register("person", folder / "person.pt", ("person",))
    assert kept == registry.resolve("person")
    assert set(json.loads((folder / "manifest.json").read_text())) >= {"person", "face", "mask"}
