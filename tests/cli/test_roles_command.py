"""Roles taught on the command line, and used by an analysis without being named."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.running import FACILITY, LOBBY, YARD, lazaretto, one_sentence
from vision.observations import ALL_TIME, read

ROLES = ("resident", "staff_no_ppe")


@pytest.fixture(scope="module")
def taught(analysed: tuple[Path, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a role model trained on four of the longest tracks in the yard, with arbitrary roles."""
    home = tmp_path_factory.mktemp("taught") / "home"
    home.mkdir()
    shutil.copytree(analysed[0] / "observations" / "yard", home / "observations" / "yard")
    seen = read(home, "yard", *ALL_TIME)
    longest = seen.group_by("track").len().sort("len", "track", descending=True)["track"].head(4).to_list()
    file = home.parent / "labels.csv"
    with file.open("w", newline="") as content:
        rows = csv.writer(content)
        rows.writerow(["video", "track", "role"])
        rows.writerows([YARD, f"{track:016x}", ROLES[n % 2]] for n, track in enumerate(longest))
    train = ("roles", "train", "--labels", file, "--facility", FACILITY, "--home", home, "--json")
    refused = lazaretto(*train)
    assert refused.code == 2 and not (home / "roles").exists()
    told = one_sentence(refused)
    assert "expected a role model that is right for at least 80%" in told and "Label more people as" in told
    ran = lazaretto(*train, "--force")
    assert ran.code == 0, ran.err
    assert len(ran.json["held_out"]["recognised"]) == 2
    assert ran.json["held_out"]["tracks"] == 4
    shutil.rmtree(home / "observations")
    return home


def test_the_model_names_its_data_and_can_be_trained_again_from_the_saved_labels(
    taught: Path,
) -> None:
    shown = lazaretto("roles", "show", "--facility", FACILITY, "--home", taught, "--json")
    assert shown.code == 0, shown.err
    assert [count["tracks"] for count in shown.json["counts"]] == [2, 2]
    assert "coefficients" not in shown.json
    kept = taught / "roles" / f"{shown.json['facility']}.labels.json"
    other = taught.parent / "other"
    ran = lazaretto("roles", "train", "--labels", kept, "--facility", FACILITY, "--home", other, "--force")
    assert ran.code == 0, ran.err
    first, again = (
        json.loads((home / "roles" / f"{shown.json['facility']}.json").read_text())
        for home in (taught, other)
    )
    assert {**first, "made": ""} == {**again, "made": ""}


def test_an_analysis_finds_the_model_names_it_and_reads_roles_every_two_seconds(taught: Path) -> None:
    ran = lazaretto("analyze", f"lobby={LOBBY}", "--facility", FACILITY, "--home", taught, "--json")
    assert ran.code == 0, ran.err
    assert "role model" in ran.json["roles"]
    seen = read(taught, "lobby", *ALL_TIME)
    with_roles = seen.filter(pl.col("role_resident").is_not_null())
    assert len(with_roles) and with_roles["role_staff_ppe"].null_count() == len(with_roles)
    shares = with_roles.select(pl.sum_horizontal("role_resident", "role_staff_no_ppe").alias("sum"))["sum"]
    assert all(share == pytest.approx(0) or share == pytest.approx(1, abs=0.005) for share in shares)
    gaps = (
        with_roles.sort("t")
        .select(pl.col("t").diff().over("track").drop_nulls())["t"]
        .dt.total_microseconds()
    )
    assert len(gaps) and gaps.min() >= 1_800_000
    for incident in ran.json["cameras"][0]["incidents"]:
        assert {"roles", "appearance"} <= set(incident["models"])


def test_a_missing_role_model_is_one_sentence(tmp_path: Path) -> None:
    ran = lazaretto("roles", "show", "--facility", FACILITY, "--home", tmp_path)
    assert ran.code == 2 and "make one with lazaretto roles label" in one_sentence(ran)
    ran = lazaretto(
        "analyze", LOBBY, "--camera", "lobby", "--facility", FACILITY, "--home", tmp_path, "--roles", "x"
    )
    assert ran.code == 2 and "expected --roles auto, none, ppe or the file" in one_sentence(ran)


def test_labels_that_name_no_track_are_one_sentence_and_leave_nothing(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(f"video,track,role\n{YARD},nurse,resident\n")
    ran = lazaretto("roles", "train", "--labels", file, "--facility", FACILITY, "--home", tmp_path / "home")
    assert ran.code == 2 and "expected a box, or a track of the observation log" in one_sentence(ran)
    assert not (tmp_path / "home" / "roles").exists()
