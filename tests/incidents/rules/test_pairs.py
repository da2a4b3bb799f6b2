"""Every pair of people near each other is evaluated: against a comparison of all with all."""

from __future__ import annotations

from itertools import combinations
from math import hypot

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.incidents.rules.rule_scenes import incidents_of, roles_of, scene, stay
from zones.facility import ContactRule, Pair, Role, Rules

STAFF = {Role.STAFF_PPE, Role.STAFF_NO_PPE}
FACILITY = scene(contact_pairs=tuple(Pair), rules=Rules(contact=ContactRule(min_s=1.0)))
APART = 0.9
"""Unit of the grid on which people stand, m: no distance on it is 2 m."""
spots = st.tuples(st.integers(0, 6), st.integers(2, 8), st.integers(3, 7), st.sampled_from(list(Role)))


def is_watched(one: Role, other: Role) -> bool:
    """Whether contact is watched: of residents, of staff with residents, of outsiders with any other role."""
    if Role.OUTSIDER in (one, other):
        return one is not other
    return Role.RESIDENT in (one, other) and {one, other} <= STAFF | {Role.RESIDENT}


@settings(max_examples=40, deadline=None)
@given(st.lists(spots, max_size=9))
def test_contacts_are_those_of_a_plain_comparison(people):
    found = incidents_of(
        FACILITY,
        [
            stay(i, APART * x, APART * y, start / 2, 3, clothes=role)
            for i, (start, x, y, role) in enumerate(people)
        ],
        hz=2.0,
    )
    expected = {
        (a, b)
        for (a, one), (b, other) in combinations(enumerate(people), 2)
        # Together in at least three samples, which is a second.
        if max(one[0], other[0]) <= 4
        and is_watched(one[3], other[3])
        and APART * hypot(one[1] - other[1], one[2] - other[2]) < 2
    }
    contacts = [finding for finding in found if finding.kind == "contact"]
    assert {finding.identity for finding in contacts} == expected
    assert len(contacts) == len(expected)
    for finding in contacts:
        assert roles_of(finding) == tuple(people[track][3] for track in finding.identity)
