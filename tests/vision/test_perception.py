"""Observations do not depend on whether the analysis was interrupted."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import polars as pl
import pytest

from models.devices import Device
from vision.frames import SECOND, Frame
from vision.networks import ModelBundle, PerceptionSettings
from vision.observations import SCHEMA
from vision.perception import Perception
from vision.sources.files import open_source
from zones.facility import Camera, load_facility

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bundle() -> ModelBundle:
    return ModelBundle.load(Device("cpu"), PerceptionSettings())


@pytest.fixture(scope="module")
def yard() -> Camera:
    return load_facility(ROOT / "data" / "facility.yaml").camera("yard")


@pytest.fixture(scope="module")
def frames(yard: Camera) -> list[Frame]:
    source = open_source(ROOT / "data" / "yard.mp4", yard.id, 0, None)
    return [f for f in islice(source.frames(None, SECOND // 5), 60) if isinstance(f, Frame)]


def test_a_restored_analysis_continues_as_if_it_had_not_been_interrupted(
    bundle: ModelBundle, yard: Camera, frames: list[Frame]
) -> None:
    whole, first = Perception(bundle, yard, "s"), Perception(bundle, yard, "s")
    people = whole.detect(frames)
    expected = whole.tabulate(whole.observe(frames, people))
    parts = []
    for begin, end in ((0, 7), (7, 40), (40, 41), (41, 60)):
        parts.append(first.tabulate(first.observe(frames[begin:end], people[begin:end])))
        state = first.state()
        first = Perception(bundle, yard, "s")
        first.restore(state)
    assert len(state["tracker.tracks.embeddings"]) > 10, "embeddings were read"
    assert pl.concat(parts).equals(expected)


def test_the_log_holds_no_embeddings(bundle: ModelBundle, yard: Camera, frames: list[Frame]) -> None:
    perception = Perception(bundle, yard, "s")
    table = perception.tabulate(perception.observe(frames[:10], perception.detect(frames[:10])))
    assert table.schema == pl.Schema(SCHEMA)
    assert len(table) and all(not kind.is_nested() and str(kind) != "Binary" for kind in table.dtypes)


def test_every_network_names_the_form_in_which_it_runs_and_the_form_is_part_of_the_fingerprint(
    bundle: ModelBundle,
) -> None:
    from dataclasses import replace

    weights = bundle.weights
    known = bundle.settings.fingerprint(*weights.values())
    for purpose, used in weights.items():
        assert used.runtime.split()[0].endswith("-f32"), f"{purpose}: f32 unless another form was chosen"
        other = {**weights, purpose: replace(used, runtime="openvino-bf16")}
        assert bundle.settings.fingerprint(*other.values()) != known


def test_the_weights_and_settings_of_tracking_are_part_of_the_fingerprint(bundle: ModelBundle) -> None:
    from dataclasses import replace

    weights = bundle.weights
    assert weights["appearance"].name == "appearance"
    settings = bundle.settings
    known = settings.fingerprint(*weights.values())
    other = replace(weights["appearance"], sha256="0" * 64)
    assert settings.fingerprint(*{**weights, "appearance": other}.values()) != known
    slower = replace(settings, tracker=replace(settings.tracker, coast_s=2.0))
    assert slower.fingerprint(*weights.values()) != known
    assert bundle.with_tracker("sort").settings.fingerprint(*weights.values()) != known
