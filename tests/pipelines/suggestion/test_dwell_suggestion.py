"""The suggested dwell: found with the rules, below the rate, and without losing a confirmed incident."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.record import Incident, Status, incident_from
from incidents.whole_log import evaluate_observations
from pipelines.suggestion.dwells import Dwell, rule_proposals, suggest_dwells
from tests.incidents.rules.rule_scenes import PX_PER_M
from tests.pipelines.suggestion.corridor import corridor, table
from tests.pipelines.suggestion.corridor_home import CAMERA, MODELS, corridor_facility

HOURS = 12.0
STAYS = (1.2, 1.7, 2.5, 2.6, 3.5, 4.5, 6.0, 8.0, 12.0, 18.0, 25.0, 40.0)
"""How long people stay in the store, s."""


def stays(*seconds: float) -> pl.DataFrame:
    """People who enter the store from above, one every ten minutes, and stay for the given seconds."""
    parts = []
    for number, stay in enumerate(seconds):
        at = 600.0 * (number + 1) + np.arange(-2.0, stay + 2.2, 0.2)
        off = np.where((at < 600 * (number + 1)) | (at > 600 * (number + 1) + stay), 2.0, 0.0)
        place = np.column_stack([np.full(len(at), 11.0), 5.0 - off])
        parts.append(table(at, place * PX_PER_M, np.full(len(at), number + 1), CAMERA))
    return pl.concat(parts).sort("t", "track")


LOG = stays(*STAYS)


def alarms(dwell_s: float = 0.5) -> list[Incident]:
    """The alarms of the rules at a short dwell, as incidents without a verdict."""
    facility = corridor_facility()
    zone = facility.rules.zone.model_copy(update={"dwell_s": dwell_s})
    facility = facility.model_copy(update={"rules": facility.rules.model_copy(update={"zone": zone})})
    camera = facility.camera(CAMERA)
    return [
        incident_from(
            finding,
            facility=facility,
            camera=camera,
            run="run",
            models=MODELS,
            coverage_share=1.0,
            ongoing=False,
        )
        for finding in evaluate_observations(LOG, facility, CAMERA).findings
    ]


def decided(*verdicts: Status | None) -> list[Incident]:
    """The alarms with these verdicts, in order of time; None = not decided."""
    return [
        incident
        if verdict is None
        else replace(incident, status=verdict, decision=verdict.value, reviewer="tester", reason="seen")
        for incident, verdict in itertools.zip_longest(alarms(), verdicts)
    ]


def suggested(rate: float, recorded: list[Incident], hours: float = HOURS) -> Dwell:
    facility = corridor_facility()
    (found,) = suggest_dwells(LOG, facility, facility.camera(CAMERA), recorded, hours, rate)
    return found


def test_without_a_verdict_every_alarm_counts_as_false_and_the_rate_has_an_interval() -> None:
    found = suggested(10.0, [])
    # Half a day: 5 alarms are 10 a day, and stays of 8 to 40 s are the 5 longest.
    assert found.chosen is not None and found.chosen.counted_false == 5 and found.meets
    assert found.chosen.dwell_s == 7.0
    assert (found.now.dwell_s, found.now.false, found.now.undecided) == (2.0, 0, 10)
    # Garwood's interval of 5 events is 1.62 to 11.67, here in half a day.
    assert (found.rate.low, found.rate.high) == (pytest.approx(3.25, abs=0.01), pytest.approx(23.3, abs=0.1))
    assert found.rate.interval == "exact"
    facility = corridor_facility()
    _, notices = rule_proposals(facility, (found,), "then", HOURS, 10.0)
    assert any("no alarm of these zones has a verdict" in notice for notice in notices)


def test_the_dwell_is_the_smallest_that_keeps_the_rate() -> None:
    for rate in (0.5, 2.0, 4.0, 10.0, 24.0):
        found = suggested(rate, [])
        assert found.chosen is not None
        for trial in found.trials:
            if trial.dwell_s < found.chosen.dwell_s:
                assert trial.counted_false > rate / 2
        assert found.chosen.counted_false <= rate / 2


def test_a_trial_counts_the_alarms_of_the_rules_at_its_dwell() -> None:
    for dwell_s in (0.5, 2.0, 7.0):
        (trial,) = [trial for trial in suggested(1.0, []).trials if trial.dwell_s == dwell_s]
        assert trial.counted_false == len(alarms(dwell_s)) > 0


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.sampled_from([None, *Status]).filter(lambda s: s in (None, "confirmed", "false_alarm")),
             min_size=len(STAYS), max_size=len(STAYS)),
    st.lists(st.floats(0.1, 40), min_size=2, max_size=3),
)  # fmt: skip
def test_a_lower_rate_never_gives_a_shorter_dwell_and_no_confirmed_incident_is_lost(
    verdicts: list[Status | None], rates: list[float]
) -> None:
    recorded = decided(*verdicts)
    confirmed = sum(incident.decision == "confirmed" for incident in recorded)
    dwells = []
    for rate in sorted(rates):
        found = suggested(rate, recorded)
        assert (found.confirmed, found.lost) == (confirmed, 0)
        if found.chosen is not None:
            assert found.chosen.kept == confirmed
            assert found.meets == (found.chosen.counted_false <= rate / 2)
        else:
            assert not confirmed
        dwells.append(np.inf if found.chosen is None else found.chosen.dwell_s)
    assert dwells == sorted(dwells, reverse=True)


def test_verdicts_decide_what_counts() -> None:
    """The short stays were real, the long ones a cleaner: then only a confirmed one bounds the dwell."""
    verdicts = [Status.CONFIRMED if 4 < stay < 5 else Status.FALSE_ALARM for stay in STAYS]
    found = suggested(0.2, decided(*verdicts))
    assert found.chosen is not None and not found.meets
    assert found.chosen.dwell_s == 4.0
    assert (found.chosen.kept, found.confirmed, found.chosen.undecided) == (1, 1, 0)
    rules, notices = rule_proposals(corridor_facility(), (found,), "then", HOURS, 0.2)
    assert [(rule.field, rule.value) for rule in rules] == [("dwell_s", 4.0)]
    assert "1 of 1 confirmed kept" in rules[0].evidence
    assert any("without losing one of 1 confirmed incidents" in notice for notice in notices)


def test_a_confirmed_incident_that_no_dwell_finds_is_reported_and_does_not_limit_the_dwell() -> None:
    incident = decided(Status.CONFIRMED)[0]
    elsewhere = replace(incident, start=incident.start + 10**10, end=incident.end + 10**10)
    found = suggested(0.2, [elsewhere])
    assert (found.confirmed, found.lost) == (0, 1)
    _, notices = rule_proposals(corridor_facility(), (found,), "then", HOURS, 0.2)
    assert any("1 confirmed incidents are found at no dwell" in notice for notice in notices)


def test_alarms_without_a_verdict_in_a_short_time_change_no_dwell() -> None:
    found = suggested(0.2, [], hours=1.0)
    rules, notices = rule_proposals(corridor_facility(), (found,), "then", 1.0, 0.2)
    assert rules == ()
    assert any("dwell_s stays at 2 s" in notice and "store" in notice for notice in notices)
    assert rule_proposals(corridor_facility(), (found,), "then", HOURS, 0.2)[0] != ()


def test_a_zone_that_denies_no_role_has_no_dwell() -> None:
    facility = corridor_facility()
    camera = facility.camera(CAMERA)
    silent = camera.model_copy(update={"zones": ()})
    assert suggest_dwells(LOG, facility, silent, [], HOURS, 0.2) == ()


def test_a_longer_dwell_gives_fewer_alarms_of_people_who_pass() -> None:
    truth = corridor(HOURS, seed=8, stroll_s=20.0)
    facility = corridor_facility()
    (found,) = suggest_dwells(truth.log, facility, facility.camera(CAMERA), [], HOURS, 40.0)
    counts = [trial.counted_false for trial in found.trials]
    assert counts[0] > 50 and counts[-1] == 0
    assert counts == sorted(counts, reverse=True)
    assert found.chosen is not None and 0 < found.chosen.counted_false <= 20
