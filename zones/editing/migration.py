"""A facility file of an older version, rewritten to the newest with every comment kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from zones.editing.draft import Draft
from zones.errors import FacilityError, Fault, FaultCode
from zones.facility import parse_facility
from zones.loading import read_document
from zones.migrating import NEWEST, steps_after, version_of, withdrawn_in


def _places(draft: Draft) -> None:
    for i in range(len(draft.data["cameras"])):
        draft.rename(("cameras", i, "place"), "places")
        draft.enclose(("cameras", i, "places"))


TEXT_STEPS: Mapping[int, Callable[[Draft], None]] = {2: _places}
"""How the text of a valid file is rewritten to the version that is the key."""


def migrate_facility(text: str, name: str = "<text>") -> str:
    """The text of a facility file in the newest version of the format, every other byte kept.

    Raises:
        FacilityError: the text is no facility file, or cannot be rewritten without changing more.
    """
    before = parse_facility(text, name)
    draft = Draft(text, name)
    for step in steps_after(version_of(read_document(text, name), name)):
        TEXT_STEPS[step.to](draft)
    for loc in withdrawn_in(draft.data):
        draft.remove(loc)
    if "schema" in draft.data:
        draft.merge(("schema",), NEWEST)
    else:
        draft.insert((), "schema", NEWEST, ("schema",))
    if parse_facility(draft.text, name).model_dump() != before.model_dump():
        expected, got = "a file that means the same afterwards", "another"
        raise FacilityError(Fault(expected, got, FaultCode.NOT_EDITABLE, "edit it by hand"), file=name)
    return draft.text
