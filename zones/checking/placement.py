"""Whether cameras see the six kinds of public area, and none of the places that the order forbids."""

from __future__ import annotations

import re
import unicodedata

from zones.camera import Camera, Place, ZoneType
from zones.checking.findings import Check, Remarks, note, warn
from zones.facility import Facility
from zones.geometry import area
from zones.validation import Loc

REQUIRED_AREAS = {
    Place.CORRIDOR: "corridors, with the outside of the room doors",
    Place.LOBBY: "the lobbies of the floors",
    Place.YARD: "the yard, and where people are sampled, received and examined and goods are handed over",
    Place.BATHROOM_OUTSIDE: "the outside of shared bathrooms and toilets",
    Place.GATE: "the gates",
    Place.OTHER_PUBLIC: "other public areas where residents or staff on duty may be",
}
"""What 4403/CV-BCD asks cameras to see, by kind of public area."""
MAX_DOOR_SHARE = 0.4
"""A room door that covers a larger share of the image means that the camera is close to it or looks in.

Project default (docs/defaults.md).
"""

# Words without diacritics. Names that match _INSIDE are forbidden always, _WASHROOM unless seen from outside.
_ROOM = r"(?:(?:bath|rest|wash|shower)? ?rooms?|toilets?|wc)"
_INSIDE = re.compile(
    rf"\b(?:bedroom|in room|(?:inside|in)(?: the| a)? {_ROOM}|{_ROOM} inside"
    r"|trong (?:phong|buong|nha (?:tam|ve sinh))|phong ngu|buong ngu)\b"
)
_WASHROOM = re.compile(
    r"\b(toilets?|wc|restrooms?|lavatory|bathrooms?|showers?|washrooms?|phong tam|nha tam|nha ve sinh"
    r"|phong ve sinh)\b"
)
_NUMBERED = re.compile(r"\b(?:phong|buong|room)(?: so| no)? ?[0-9]+[a-z]?\b")
"""A room by its number: a camera of that name seems to be in it."""
_PUBLIC = re.compile(r"\b(hanh lang|sanh|corridor|hall|hallway|lobby)\b")
_OUTSIDE = re.compile(r"\b(outside|door|doors|entrance|front|cua|ngoai|truoc|loi vao)\b")


def unseen_places(facility: Facility) -> Remarks:
    """A note for each of the six kinds of public area that no camera sees."""
    seen = {place for camera in facility.cameras for place in camera.places}
    for place, areas in REQUIRED_AREAS.items():
        if place not in seen:
            sentence = f"no camera sees the kind {place.value!r}: 4403/CV-BCD asks to see {areas}"
            yield note(Check.UNSEEN_PLACE, "", ("cameras",), sentence)


def forbidden_places(camera: Camera, loc: Loc) -> Remarks:
    """Warnings on names that mean a forbidden place, and on doors that fill the image."""
    outside = Place.BATHROOM_OUTSIDE in camera.places
    named: list[tuple[Loc, str]] = [((*loc, field), getattr(camera, field)) for field in ("id", "name")]
    for at, text in named:
        if means_numbered_room(text):
            yield warn(
                Check.FORBIDDEN_PLACE,
                camera.id,
                at,
                f"{text!r} is the name of a room, where 4403/CV-BCD forbids cameras: if the camera sees the "
                "room's door from outside, say so in its name (cửa phòng, hành lang), and draw the door as a "
                "zone or line of type room_door",
            )
    for below, part in camera.parts():
        named += [((*loc, *below, field), getattr(part, field)) for field in ("id", "name")]
    for at, text in named:
        if means_forbidden_place(text, outside):
            places = ", ".join(camera.places)
            yield warn(
                Check.FORBIDDEN_PLACE,
                camera.id,
                at,
                f"{text!r} means a room, toilet or bathroom, where 4403/CV-BCD forbids cameras, "
                f"but the camera's places are {places}",
            )
    for i, zone in enumerate(camera.zones):
        if zone.type is ZoneType.ROOM_DOOR and (share := area(zone.polygon)) > MAX_DOOR_SHARE:
            yield warn(
                Check.FORBIDDEN_PLACE,
                camera.id,
                (*loc, "zones", i, "polygon"),
                f"the room door {zone.id!r} covers {share:.0%} of the image: "
                "the camera seems to look into the room",
            )


def means_numbered_room(text: str) -> bool:
    """Whether a camera's name, Vietnamese or English, is that of a room by its number: "Phòng 101"."""
    words = _words(text)
    return bool(_NUMBERED.search(words)) and not _OUTSIDE.search(words) and not _PUBLIC.search(words)


def means_forbidden_place(text: str, outside: bool) -> bool:
    """Whether a name, Vietnamese or English, means the inside of a room, toilet or bathroom.

    `outside`: whether the camera is known to see the outside of bathrooms.
    """
    words = _words(text)
    if _INSIDE.search(words):
        return True
    return bool(_WASHROOM.search(words)) and not outside and not _OUTSIDE.search(words)


def _words(text: str) -> str:
    """A text in lower case, without diacritics, as words between single blanks."""
    bare = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    return re.sub(r"[^a-z0-9]+", " ", "".join(char for char in bare if not unicodedata.combining(char)))
