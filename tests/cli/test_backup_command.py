"""`lazaretto backup` and `lazaretto restore` as an administrator runs them."""

from __future__ import annotations

from pathlib import Path

from tests.running import lazaretto_here as lazaretto
from tests.running import one_sentence
from tests.sealed_home import one_byte, sealed_home


def test_a_home_is_backed_up_verified_and_restored(tmp_path: Path) -> None:
    home, _ = sealed_home(tmp_path / "home")
    folder, again = tmp_path / "backups", tmp_path / "again"
    refused = lazaretto("backup", folder, "--home", home.path)
    assert refused.code == 2 and "is its disk mounted?" in one_sentence(refused)
    folder.mkdir()
    made = lazaretto("backup", folder, "--home", home.path)
    assert made.code == 0 and "7 files" in made.out, made.err
    checked = lazaretto("backup", folder, "--verify")
    assert checked.code == 0 and "7 files, all as they were copied" in checked.out
    restored = lazaretto("restore", folder, "--home", again)
    assert restored.code == 0 and "7 files of the backup" in restored.out
    assert "6 intact; 0 unsealed" in lazaretto("verify", "--home", again).out
    assert (
        lazaretto("incidents", "list", "--json", "--home", again).json
        == lazaretto("incidents", "list", "--json", "--home", home.path).json
    )
    refused = lazaretto("restore", folder, "--home", again)
    assert refused.code == 2 and "expected no home at" in one_sentence(refused)

    [copy] = [path for path in folder.rglob("clip.mp4") if path.stat().st_size][:1]
    copy.chmod(0o644)
    one_byte(copy)
    checked = lazaretto("backup", folder, "--verify")
    assert checked.code == 3 and "1 fault" in checked.out and "expected SHA-256" in checked.out
    refused = lazaretto("restore", folder, "--home", tmp_path / "third")
    assert refused.code == 2 and "is damaged, and no home was made" in one_sentence(refused)

    next((home.path / "evidence").rglob("clip.mp4")).unlink()
    partly = lazaretto("backup", folder, "--home", home.path, "--keep", "1")
    assert partly.code == 3 and "expected a sealed file, got nothing" in partly.err
    assert "removed: " in partly.out
