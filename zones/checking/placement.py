"""Whether the six kinds of public area are seen, and nothing that the order forbids."""

from __future__ import annotations

import re
import unicodedata

from zones.camera import Camera, Place, ZoneType
from zones.checking.findings import Remarks, note, warn
from zones.facility import Facility
from zones.geometry import area
from zones.validation import Loc

ASKED = {
    Place.CORRIDOR: "corridors, with the outside of the room doors",
    Place.LOBBY: "the lobbies of the floors",
    Place.YARD: "the yard, and where people are sampled, received and examined and goods are handed over",
    Place.BATHROOM_OUTSIDE: "the outside of shared bathrooms and toilets",
    Place.GATE: "the gates",
    Place.OTHER_PUBLIC: "other public areas where residents or staff on duty may be",
}
"""What 4403/CV-BCD asks cameras to see, by kind of place."""
DOOR_SHARE = 0.4
"""A room door that fills more of the picture means a camera that faces it from near, or looks in [D]."""

# Words without diacritics. The first are forbidden wherever they stand, the second unless seen from outside.
_ROOM = r"(?:(?:bath|rest|wash|shower)? ?rooms?|toilets?|wc)"
_INSIDE = re.compile(
    rf"\b(?:bedroom|in room|(?:inside|in)(?: the| a)? {_ROOM}|{_ROOM} inside"
    r"|trong (?:phong|buong|nha (?:tam|ve sinh))|phong ngu|buong ngu)\b"
)
_WASHROOM = re.compile(
    r"\b(toilets?|wc|restrooms?|lavatory|bathrooms?|showers?|washrooms?|phong tam|nha tam|nha ve sinh"
    r"|phong ve sinh)\b"
)
_OUTSIDE = re.compile(r"\b(outside|door|doors|entrance|front|cua|ngoai|truoc|loi vao)\b")


def coverage(facility: Facility) -> Remarks:
    """A note for each of the six kinds of public area that no camera sees."""
    seen = {place for camera in facility.cameras for place in camera.places}
    for place, asked in ASKED.items():
        if place not in seen:
            yield note(
                "", ("cameras",), f"no camera sees the kind {place.value!r}: 4403/CV-BCD asks to see {asked}"
            )


def placed(camera: Camera, loc: Loc) -> Remarks:
    """Names that tell of a forbidden place, and doors that fill the picture."""
    outside = Place.BATHROOM_OUTSIDE in camera.places
    named: list[tuple[Loc, str]] = [((*loc, field), getattr(camera, field)) for field in ("id", "name")]
    for below, part in camera.parts():
        named += [((*loc, *below, field), getattr(part, field)) for field in ("id", "name")]
    for at, text in named:
        if forbidden(text, outside):
            places = ", ".join(camera.places)
            yield warn(
                camera.id,
                at,
                f"{text!r} tells of a room, toilet or bathroom, where 4403/CV-BCD forbids cameras, "
                f"but the camera's places say {places}",
            )
    for i, zone in enumerate(camera.zones):
        if zone.type is ZoneType.ROOM_DOOR and (share := area(zone.polygon)) > DOOR_SHARE:
            yield warn(
                camera.id,
                (*loc, "zones", i, "polygon"),
                f"the room door {zone.id!r} covers {share:.0%} of the picture: "
                "the camera seems to look into the room",
            )


def forbidden(text: str, outside: bool) -> bool:
    """Whether a name, Vietnamese or English, tells of the inside of a room, toilet or bathroom.

    `outside` says that the camera is known to see the outside of bathrooms.
    """
    bare = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    words = re.sub(r"[^a-z0-9]+", " ", "".join(char for char in bare if not unicodedata.combining(char)))
    if _INSIDE.search(words):
        return True
    return bool(_WASHROOM.search(words)) and not outside and not _OUTSIDE.search(words)
