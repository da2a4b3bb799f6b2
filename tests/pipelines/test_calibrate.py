"""`lazaretto calibrate` by marks, a rectangle and people, and the facility file afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from cli.main import LAZARETTO
from tests.running import FACILITY, lazaretto, one_sentence
from tests.zones.tsai import PETS_VIEW_001
from tests.zones.walkers import ASPECT, Pinhole, walk
from vision.observations import SCHEMA, write_part
from zones.errors import LazarettoError
from zones.facility import load_facility

SIZE = ("--image-size", "768x576")
YARD = [(-14.5, -3.5), (-17.5, -10), (-14.5, -11.5), (-8, -12), (-1.5, -11), (0.5, -6.5), (-5, 3.5), (-9, -5)]
CHECK = [(-13, -8), (-6.5, -3.5)]


def px(*ground: tuple[float, float]) -> list[tuple[float, float]]:
    seen = PETS_VIEW_001.floor(np.array(ground, dtype=np.float64)) * (768, 576)
    return [(round(float(x), 1), round(float(y), 1)) for x, y in seen]


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    rows = [
        f"{x},{y},{a},{b},{use}"
        for use, places in (("fit", YARD), ("check", CHECK))
        for (x, y), (a, b) in zip(px(*places), places, strict=True)
    ]
    path = tmp_path / "marks.csv"
    path.write_text("x,y,ground_x,ground_y,use\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def facility(tmp_path: Path) -> Path:
    path = tmp_path / "facility.yaml"
    path.write_bytes(FACILITY.read_bytes())
    path.chmod(0o640)
    return path


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose log has 15 people who walked in front of a known camera."""
    home = tmp_path_factory.mktemp("walked")
    people = walk(Pinhole(), 15, 1)
    width, height = 1920, 1080
    assert width / height == pytest.approx(ASPECT)
    boxes = people.boxes * (width, height, width, height)
    columns = {
        "camera": ["lobby"] * len(boxes),
        "t": people.t + 1_795_669_200_000_000,
        "frame": np.arange(len(boxes)),
        "track": people.track,
        "width": np.full(len(boxes), width),
        "height": np.full(len(boxes), height),
        **{name: boxes[:, i] for i, name in enumerate(("x1", "y1", "x2", "y2"))},
        "foot_x": (boxes[:, 0] + boxes[:, 2]) / 2,
        "foot_y": boxes[:, 3],
        "score": np.full(len(boxes), 0.8),
    }
    table = pl.DataFrame(
        [pl.Series(name, columns.get(name, [None] * len(boxes))).cast(kind) for name, kind in SCHEMA.items()]
    )
    write_part(home, table.sort("t", "track"), "lobby", 1_795_669_200_000_000)
    return home


def writing(marks: Path, facility: Path) -> tuple[str | Path, ...]:
    """The command that calibrates the yard by marks and writes the result to a facility file."""
    where = ("--facility", facility, "--camera", "yard")
    return ("calibrate", "points", "--pairs", marks, *SIZE, *where, "--write")


def test_marks_are_written_into_the_facility_file_and_nothing_else_is(marks: Path, facility: Path) -> None:
    ran = lazaretto(*writing(marks, facility))
    assert ran.code == 0, ran.err
    assert "Check error: 0.0" in ran.out and "Written to" in ran.out
    before, after = FACILITY.read_text("utf-8").splitlines(), facility.read_text("utf-8").splitlines()
    gone = [line for line in before if line not in after]
    assert all("image:" in line or "check:" in line or "calibration:" in line for line in gone)
    assert [line for line in after if "zones:" in line] == [line for line in before if "zones:" in line]
    spec = load_facility(facility).camera("yard").calibration
    assert spec is not None and spec.points is not None
    assert (len(spec.points), len(spec.check)) == (8, 2)
    assert facility.stat().st_mode & 0o777 == 0o640
    shown = lazaretto("calibrate", "show", "--facility", facility, "--camera", "yard", *SIZE, "--json").json
    assert 0 < shown["check_error_m"] < 0.1 and len(shown["residuals_m"]) == 8
    assert len(shown["distance_se_m"]) == 6 and len(shown["distance_se_m"][0]) == 8
    near, far = shown["distance_se_m"][5][4], shown["distance_se_m"][2][4]
    assert 0 < near < far < 0.5
    assert 0.3 < shown["good_share"] < shown["floor_share"] < 1
    assert (
        0 < shown["calibration_se_m"][3][3] < shown["distance_se_m"][3][3] < shown["position_se_m"][3][3] * 2
    )


def test_a_worse_calibration_replaces_a_better_one_only_by_force(marks: Path, facility: Path) -> None:
    write = writing(marks, facility)
    assert lazaretto(*write).code == 0
    better, rows = facility.read_bytes(), marks.read_text().splitlines()
    moved = [*rows[:-1], rows[-1].replace(",-3.5,check", ",-3.2,check")]
    for worse, told in ((moved, "got one of 0."), (rows[:5], "got one whose error is not checked")):
        marks.write_text("\n".join(worse), "utf-8")
        ran = lazaretto(*write)
        assert ran.code == 2 and told in ran.err.splitlines()[-1], ran.err
        assert "Check error" in ran.out and "Written" not in ran.out and facility.read_bytes() == better
    assert lazaretto(*write, "--force").code == 0 and facility.read_bytes() != better
    marks.write_text("\n".join(rows), "utf-8")
    assert lazaretto(*write).code == 0 and facility.read_bytes() == better
    assert lazaretto(*write).code == 0, "the same again is no worse"
    refused = lazaretto(*write[:-1], "--force")
    assert refused.code == 2 and "--write" in one_sentence(refused)


def test_without_write_the_calibration_is_printed_to_paste(marks: Path, tmp_path: Path) -> None:
    ran = lazaretto("calibrate", "points", "--pairs", marks, *SIZE)
    assert ran.code == 0, ran.err
    pasted = ran.out[ran.out.index("calibration:") :]
    again = tmp_path / "pasted.yaml"
    again.write_text(pasted, encoding="utf-8")
    one = lazaretto("calibrate", "points", "--pairs", again, *SIZE, "--json").json
    assert one == lazaretto("calibrate", "points", "--pairs", marks, *SIZE, "--json").json


def test_four_marks_alone_are_reported_as_not_checked(marks: Path) -> None:
    marks.write_text("\n".join(marks.read_text().splitlines()[:5]), encoding="utf-8")
    ran = lazaretto("calibrate", "points", "--pairs", marks, *SIZE, "--json")
    assert ran.code == 0 and ran.json["check_error_m"] is None
    assert any("not checked" in warning and "fifth mark" in warning for warning in ran.json["warnings"])
    assert "no contact is evaluated" in ran.err


def test_a_rectangle_with_a_measured_diagonal(tmp_path: Path, facility: Path) -> None:
    corners = px((-12, -8), (-8, -8), (-8, -5), (-12, -5))
    text = " ".join(f"{x},{y}" for x, y in corners)
    diagonal = " ".join(f"{x},{y}" for x, y in (corners[0], corners[2])) + " 5.02"
    picture = tmp_path / "frame.png"
    cv2.imwrite(str(picture), np.full((576, 768, 3), 90, np.uint8))
    ran = lazaretto(
        "calibrate", "rectangle", "--corners", text, "--width", "4", "--length", "3", "--check", diagonal,
        "--frame", picture, "--map", tmp_path / "map.png", "--facility", facility, "--camera", "lobby",
        "--write", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert ran.json["check_error_m"] == pytest.approx(0.02, abs=0.03)
    assert ran.json["extrapolated_share"] > 0.5 and "beyond the marks" in ran.err
    spec = load_facility(facility).camera("lobby").calibration
    assert spec is not None and spec.rectangle is not None and spec.rectangle.width == 4.0
    drawn = cv2.imread(str(tmp_path / "map.png"))
    assert drawn is not None and drawn.shape == (576, 768, 3) and drawn.std() > 10


def test_people_of_the_log_give_the_camera(walked: Path, facility: Path) -> None:
    ran = lazaretto(
        "calibrate", "walking", "--home", walked, "--camera", "lobby", "--mean-height", "1.65",
        "--facility", facility, "--write", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    spec = load_facility(facility).camera("lobby").calibration
    assert spec is not None and spec.walking is not None
    assert spec.walking.height_m == pytest.approx(Pinhole().height, rel=0.15)
    assert ran.json["people"] == spec.walking.people == 15
    assert ran.json["check_error_m"] == pytest.approx(spec.walking.check_error_m, abs=1e-4)
    ran = lazaretto("calibrate", "walking", "--home", walked, "--camera", "lobby", "--field-of-view", "61.3")
    assert ran.code == 0, ran.err
    assert "15 people" in ran.out and "mean height 1.65 m" in ran.out and "walking:" in ran.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["points", "--pairs", "{marks}"], "expected --frame FILE or --image-size WxH"),
        (["points", "--pairs", "{marks}", "--image-size", "300x200"], "inside the frame of 300 x 200 px"),
        (["points", "--pairs", "{tmp}/none.csv", *SIZE], "expected a file of marks"),
        (["points", "--pairs", "{tmp}/words.csv", *SIZE], "expected a table with the columns"),
        (["points", "--pairs", "{tmp}/bad.csv", *SIZE], "bad.csv: line 3: expected four numbers"),
        (["points", "--pairs", "{tmp}/few.csv", *SIZE], "at least 4"),
        (["points", "--pairs", "{tmp}/line.csv", *SIZE], "no 3 lie on one line"),
        (["points", "--pairs", "{marks}", *SIZE, "--write"], "expected --facility and --camera too"),
        (
            ["points", "--pairs", "{marks}", *SIZE, "--facility", "{facility}", "--camera", "yrad"],
            "did you mean 'yard'?",
        ),
        (["points", "--pairs", "{marks}", *SIZE, "--map", "{tmp}/map.txt"], ".png or .jpg"),
        (["points", "--pairs", "{marks}", "--frame", "{marks}"], "which is not one"),
        (["rectangle", "--corners", "1,1 2,2", "--width", "1", "--length", "1", *SIZE], "expected 4 points"),
        (
            ["rectangle", "--corners", "9,9 700,500 700,9 9,500", "--width", "1", "--length", "1", *SIZE],
            "four corners in order",
        ),
        (
            ["rectangle", "--corners", "9,9 700,9 700,500 9,500", "--width", "1", "--length", "1", *SIZE,
             "--check", "9,9 700,9 far"],
            'expected "x,y x,y metres"',
        ),
        (["walking"], "expected a video, or --camera"),
        (["walking", "--home", "{tmp}", "--camera", "lobby"], "analyse some of its footage first"),
        (["walking", "--home", "{walked}", "--camera", "lobby", "--mean-height", "3"], "a mean height"),
        (["show", "--facility", "{facility}", "--camera", "lobby", *SIZE], "got none"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_and_changes_nothing(
    arguments: list[str], sentence: str, marks: Path, facility: Path, walked: Path, tmp_path: Path
) -> None:
    header = "x,y,ground_x,ground_y\n"
    (tmp_path / "words.csv").write_text("a,b\n1,2\n")
    (tmp_path / "bad.csv").write_text(header + "1,1,0,0\n1,two,0,1\n")
    (tmp_path / "few.csv").write_text(header + "1,1,0,0\n9,1,1,0\n9,9,1,1\n")
    (tmp_path / "line.csv").write_text(header + "".join(f"{i},{i},{i},0\n" for i in range(10, 60, 10)))
    places = {"marks": marks, "facility": facility, "walked": walked, "tmp": tmp_path}
    before = facility.read_bytes()
    # In this process: a second of loading for each would be most of the time.
    ran = CliRunner().invoke(
        LAZARETTO.build(), ["calibrate", *(argument.format(**places) for argument in arguments)]
    )
    assert isinstance(ran.exception, LazarettoError), ran.output
    assert sentence in str(ran.exception) and "\n" not in str(ran.exception)
    assert facility.read_bytes() == before
    assert not (tmp_path / "map.txt").exists()


def test_bad_input_ends_with_one_sentence_and_exit_code_two(tmp_path: Path) -> None:
    ran = lazaretto("calibrate", "points", "--pairs", tmp_path / "none.csv", *SIZE)
    assert ran.code == 2 and "expected a file of marks" in one_sentence(ran)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_file_that_cannot_be_written_stays_as_it_was(marks: Path, facility: Path) -> None:
    facility.parent.chmod(0o500)
    try:
        ran = lazaretto(*writing(marks, facility))
    finally:
        facility.parent.chmod(0o700)
    assert ran.code == 2 and "that can be written" in one_sentence(ran)
    assert facility.read_bytes() == FACILITY.read_bytes()
