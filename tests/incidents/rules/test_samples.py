"""Reading observations: order, repeats, mask votes and what counts as assessed."""

from __future__ import annotations

import polars as pl
import pytest
from rule_scenes import Person, observe, samples_of, scene, stay

from incidents.rules.samples import (
    INCORRECT,
    MASKED,
    NOT_ASSESSED,
    UNMASKED,
    RuleError,
    assessable_share,
    read_samples,
)
from vision.ground import locate
from zones.errors import LazarettoError


def with_roles(table: pl.DataFrame) -> pl.DataFrame:
    return locate(table, scene().cameras[0]).with_columns(
        role=pl.lit("resident"), role_confidence=pl.lit(0.9, pl.Float32)
    )


def masks_of(states: list[str], **more) -> Person:
    return stay(1, 5, 5, 0, (len(states) - 1) / 5, masks=lambda second: states[round(second * 5)], **more)


def test_rows_are_sorted_by_person_and_time():
    table = with_roles(observe([stay(9, 1, 1, 0, 2), stay(4, 2, 2, 1, 3)]))
    samples, repeated = read_samples(table.sort("track", descending=True, maintain_order=True), "cam-1", 32)
    assert samples.track.tolist() == [4] * 11 + [9] * 11
    assert samples.person.tolist() == [0] * 11 + [1] * 11
    assert repeated == 0
    assert samples.track[samples.span(1, int(samples.t[11]), int(samples.t[13]))].tolist() == [9, 9, 9]


def test_time_that_goes_backwards_within_a_track_is_refused():
    table = with_roles(observe([stay(255, 1, 1, 0, 2)])).reverse()
    with pytest.raises(
        RuleError, match=r"expected the time of track 00000000000000ff not to go backwards from"
    ):
        read_samples(table, "cam-1", 32)
    assert issubclass(RuleError, LazarettoError)


def test_observations_of_another_camera_are_refused():
    table = with_roles(observe([stay(1, 1, 1, 0, 2)], camera="cam-2"))
    with pytest.raises(RuleError, match="expected observations of camera 'cam-1', got some of 'cam-2'"):
        read_samples(table, "cam-1", 32)


def test_only_the_first_of_rows_with_the_same_time_is_used():
    table = with_roles(observe([stay(1, 1, 1, 0, 2)]))
    samples, repeated = read_samples(pl.concat([table, table.tail(1)]), "cam-1", 32)
    assert (len(samples), repeated) == (11, 1)


def test_a_vote_is_the_most_probable_state_or_not_assessed():
    samples = samples_of([masks_of(["masked", "incorrect", "unmasked", "turned", "not_sampled"])], scene())
    assert samples.vote.tolist() == [MASKED, INCORRECT, UNMASKED, NOT_ASSESSED, NOT_ASSESSED]
    assert samples.attempted.tolist() == [True, True, True, True, False]
    assert assessable_share(samples, slice(0, 5)) == 0.75
    assert assessable_share(samples, slice(4, 5)) is None


def test_the_least_severe_of_equally_probable_states_wins():
    table = with_roles(observe([stay(1, 1, 1, 0, 0)])).with_columns(
        mask_masked=pl.lit(0.2, pl.Float32), mask_incorrect=pl.lit(0.4, pl.Float32),
        mask_unmasked=pl.lit(0.4, pl.Float32),
    )  # fmt: skip
    assert read_samples(table, "cam-1", 32)[0].vote.tolist() == [INCORRECT]


def test_a_face_below_the_threshold_was_attempted_but_not_assessed():
    samples = samples_of([masks_of(["unmasked"] * 3, face_px=31.0)], scene())
    assert samples.vote.tolist() == [NOT_ASSESSED] * 3
    assert assessable_share(samples, slice(0, 3)) == 0.0
