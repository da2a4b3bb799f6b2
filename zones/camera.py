"""A camera of a facility, and the zones, lines and calibration in its view."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from zones.calibration.spec import CalibrationSpec
from zones.credentials import has_credentials
from zones.errors import FaultCode
from zones.fields import Point, Share
from zones.geometry import area, crossing_edges, extents
from zones.schedule import ALWAYS
from zones.validation import Model, describe, refuse

MIN_AREA_SHARE = 1e-5
"""Smallest zone, as a share of the frame: about 4 px of 768 x 576, too small to contain a foot point."""
_MAX_ROUNDING = 1e-9
"""Points whose extent across their common line is no larger than this lie on the line."""
WIDEST_PICTURE = 4
"""A picture is at most this many times as wide as high, or as high as wide; that of a panoramic camera with
three lenses is 3.6 times as wide."""
_ASPECT_RATIO = "[1-9][0-9]{0,4}:[1-9][0-9]{0,4}"
# Ids become folder and file names, hence the narrow alphabet.
_IDENTIFIER = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


class Role(StrEnum):
    """The role of a person; `unknown` whenever confidence is low."""

    RESIDENT = "resident"
    STAFF_PPE = "staff_ppe"
    STAFF_NO_PPE = "staff_no_ppe"
    OUTSIDER = "outsider"
    UNKNOWN = "unknown"


class Place(StrEnum):
    """The six kinds of public area that 4403/CV-BCD wants cameras to see; there is deliberately no other."""

    CORRIDOR = "corridor"
    LOBBY = "lobby"
    YARD = "yard"
    BATHROOM_OUTSIDE = "bathroom_outside"
    GATE = "gate"
    OTHER_PUBLIC = "other_public"


class ZoneType(StrEnum):
    """What a zone or line stands for."""

    ROOM_DOOR = "room_door"
    RESIDENT_ONLY = "resident_only"
    STAFF_ONLY = "staff_only"
    BUFFER = "buffer"
    ONE_WAY = "one_way"
    GATE = "gate"
    PERIMETER = "perimeter"
    CARE_STATION = "care_station"
    COMMON = "common"
    EXEMPT = "exempt"


LINE_TYPES = (ZoneType.ROOM_DOOR, ZoneType.ONE_WAY, ZoneType.GATE, ZoneType.PERIMETER)


class Effect(StrEnum):
    """What a rule decides for those it applies to."""

    ALLOW = "allow"
    DENY = "deny"


class Direction(StrEnum):
    """The sense of a crossing, for a line walked from its first to its second point, as seen in the image."""

    LEFT_TO_RIGHT = "left_to_right"
    RIGHT_TO_LEFT = "right_to_left"


class Pair(StrEnum):
    """A pair of roles whose contact a camera evaluates."""

    STAFF_RESIDENT = "staff_resident"
    OUTSIDER_ANY = "outsider_any"
    RESIDENT_RESIDENT = "resident_resident"


def _check_identifier(text: str) -> str:
    if re.fullmatch(_IDENTIFIER, text) is None:
        expected = "1 to 64 of A-Z, a-z, 0-9, '.', '_', '-', first a letter or digit"
        refuse(expected, describe(text), code=FaultCode.MALFORMED)
    return text


def _check_polygon(polygon: tuple[Point, ...]) -> tuple[Point, ...]:
    if polygon[0] == polygon[-1]:
        again = len(polygon) - 1
        refuse("each point once", "the first point again at the end", again, code=FaultCode.DUPLICATE)
    if extents(polygon)[1] < _MAX_ROUNDING:
        refuse("a polygon with an area", "points on one line", code=FaultCode.GEOMETRY)
    if (edges := crossing_edges(polygon)) is not None:
        first, second = (f"[{i}]-[{(i + 1) % len(polygon)}]" for i in edges)
        got = f"sides {first} and {second} meeting"
        refuse("a polygon that does not cross itself", got, code=FaultCode.GEOMETRY)
    if (size := area(polygon)) < MIN_AREA_SHARE:
        expected = f"a polygon with an area of at least {MIN_AREA_SHARE:g} of the frame"
        refuse(expected, f"{size:.2g}", code=FaultCode.GEOMETRY)
    return polygon


def _check_line(points: tuple[Point, Point]) -> tuple[Point, Point]:
    if points[0] == points[1]:
        got = f"[{points[0][0]:g}, {points[0][1]:g}] twice"
        refuse("two distinct points", got, code=FaultCode.GEOMETRY)
    return points


def _check_line_type(kind: ZoneType) -> ZoneType:
    if kind not in LINE_TYPES:
        got = f"{kind.value!r}, which needs a zone"
        refuse(f"a type of line ({', '.join(LINE_TYPES)})", got, code=FaultCode.NOT_A_CHOICE)
    return kind


def _check_place(value: object) -> object:
    if value not in list(Place):
        refuse(
            f"one of the public areas {', '.join(Place)}",
            describe(value),
            code=FaultCode.FORBIDDEN_PLACE,
            hint="the order (4403/CV-BCD) forbids cameras inside rooms, toilets and bathrooms",
        )
    return value


def _check_list(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return value
    _check_place(value)
    expected, hint = "a list of public areas", "put brackets around it"
    refuse(expected, describe(value), code=FaultCode.WRONG_TYPE, hint=hint)


def _check_places(places: tuple[Place, ...]) -> tuple[Place, ...]:
    for i, place in enumerate(places):
        if place in places[:i]:
            refuse("each public area once", f"{place.value!r} again", i, code=FaultCode.DUPLICATE)
    return places


def _check_source(source: str) -> str:
    if has_credentials(source):
        refuse(
            "a source without credentials",
            "a user, password or token in clear",
            code=FaultCode.CREDENTIALS,
            hint="put ${NAME} in its place and set the environment variable NAME",
        )
    if re.search(r"\$\{(?![A-Za-z_][A-Za-z0-9_]*\})|\$(?!\{)", source):
        refuse("environment variables as ${NAME}", "a '$' that begins none", code=FaultCode.MALFORMED)
    return source


def _check_aspect_ratio(text: str) -> str:
    parts = text.split(":")
    if re.fullmatch(_ASPECT_RATIO, text) is None:
        expected = "the width and the height of the picture, such as 16:9 or 4:3"
        refuse(expected, describe(text), code=FaultCode.MALFORMED)
    if not 1 / WIDEST_PICTURE <= int(parts[0]) / int(parts[1]) <= WIDEST_PICTURE:
        expected = f"an aspect ratio from 1:{WIDEST_PICTURE} to {WIDEST_PICTURE}:1"
        refuse(expected, describe(text), code=FaultCode.OUT_OF_RANGE)
    return text


Polygon = Annotated[tuple[Point, ...], Field(min_length=3, max_length=200), AfterValidator(_check_polygon)]
Identifier = Annotated[
    str,
    AfterValidator(_check_identifier),
    Field(json_schema_extra={"pattern": f"^{_IDENTIFIER}$"}),
]
LineType = Annotated[
    ZoneType, AfterValidator(_check_line_type), Field(json_schema_extra={"enum": list(LINE_TYPES)})
]
Name = Annotated[str, Field(max_length=200)]
AspectRatio = Annotated[
    str,
    AfterValidator(_check_aspect_ratio),
    Field(json_schema_extra={"pattern": f"^{_ASPECT_RATIO}$"}),
]
Places = Annotated[
    tuple[Annotated[Place, BeforeValidator(_check_place)], ...],
    BeforeValidator(_check_list),
    AfterValidator(_check_places),
    Field(min_length=1, json_schema_extra={"uniqueItems": True}),
]


class Rule(Model):
    """Roles x schedule x direction -> allow or deny; of several, the first that matches decides."""

    roles: tuple[Role, ...] | None = Field(
        default=None, min_length=1, title="Roles", description="Roles it applies to; left out, any role."
    )
    schedule: str = Field(default=ALWAYS, title="Schedule", description='A key of `schedules`, or "always".')
    direction: Direction | None = Field(
        default=None, title="Direction", description="Of the crossing of a line; left out, both."
    )
    effect: Effect = Field(title="Effect", description="allow or deny")


class Zone(Model):
    """A polygon on the floor as seen in the image; a person is in it while their foot point is."""

    id: Identifier = Field(title="Id", description="Unique among the zones and lines of the camera.")
    name: Name = Field(default="", title="Name", description="Name for people.")
    type: ZoneType = Field(title="Type", description="What the zone stands for; decides the default rules.")
    polygon: Polygon = Field(
        title="Polygon", description="Corners [x, y], 0..1 of the frame, x right, y down."
    )
    rules: tuple[Rule, ...] = Field(default=(), title="Rules", description="The first that matches decides.")
    origin_role: Role | None = Field(
        default=None,
        title="Role of origin",
        description="Role given to tracks that begin here, such as at a staff door.",
    )
    origin_confidence: Share = Field(
        default=0.8, title="Confidence of origin", description="Of that role, 0..1."
    )
    toward: Point | None = Field(
        default=None,
        title="Toward",
        description="Of a one_way zone: [x, y], 0..1; the way allowed leads there from the polygon's middle.",
    )

    @model_validator(mode="after")
    def _toward_is_a_direction(self) -> Self:
        if self.toward is None:
            return self
        if self.type is not ZoneType.ONE_WAY:
            expected = "`toward` only in a zone of type one_way"
            got = f"it in a zone of type {self.type.value}"
            refuse(expected, got, "toward", code=FaultCode.CONFLICT)
        middle = [sum(axis) / len(axis) for axis in zip(*self.polygon, strict=True)]
        if max(abs(a - b) for a, b in zip(middle, self.toward, strict=True)) < 0.01:
            expected = "a point away from the middle of the polygon"
            refuse(expected, "a point at the middle", "toward", code=FaultCode.GEOMETRY)
        return self

    @model_validator(mode="after")
    def _rules_have_no_direction(self) -> Self:
        for i, rule in enumerate(self.rules):
            if rule.direction is not None:
                expected = "no direction in the rule of a zone (only lines have one)"
                got = f"direction {rule.direction.value}"
                refuse(expected, got, "rules", i, code=FaultCode.CONFLICT)
        return self


class Line(Model):
    """A directed line on the floor as seen in the image; a person crosses it when their foot point does."""

    id: Identifier = Field(title="Id", description="Unique among the zones and lines of the camera.")
    name: Name = Field(default="", title="Name", description="Name for people.")
    type: LineType = Field(title="Type", description="What the line stands for.")
    points: Annotated[tuple[Point, Point], AfterValidator(_check_line)] = Field(
        title="Points",
        description="Two points [x, y], 0..1; left and right are those of a walk from first to second.",
    )
    rules: tuple[Rule, ...] = Field(default=(), title="Rules", description="The first that matches decides.")
    denied: Direction | None = Field(
        default=None,
        title="Denied",
        description="Deny this direction to every role that the type denies by default.",
    )


class Camera(Model):
    """One camera, and the zones and lines in its view."""

    id: Identifier = Field(title="Id", description="Unique in the facility.")
    name: Name = Field(default="", title="Name", description="Name for people.")
    places: Places = Field(
        title="Places",
        description="The public areas it sees (4403/CV-BCD); never a room, toilet or bathroom.",
    )
    source: Annotated[str, AfterValidator(_check_source)] | None = Field(
        default=None,
        title="Source",
        description="File or stream URL; credentials only as ${NAME} from the environment.",
    )
    substream: Annotated[str, AfterValidator(_check_source)] | None = Field(
        default=None,
        title="Substream",
        description="URL of a smaller stream of the same picture, in which people are found; as `source`.",
    )
    aspect_ratio: AspectRatio | None = Field(
        default=None,
        title="Aspect ratio",
        description="Of the upright picture as people see it, such as 16:9; left out, as the file states.",
    )
    default_role: Role = Field(
        default=Role.UNKNOWN, title="Default role", description="Role of people while nothing else is known."
    )
    default_role_confidence: Share = Field(
        default=0.7, title="Confidence", description="Of the default role, 0..1."
    )
    calibration: CalibrationSpec | None = Field(
        default=None, title="Calibration", description="Image to ground in metres."
    )
    zones: tuple[Zone, ...] = Field(default=(), title="Zones")
    lines: tuple[Line, ...] = Field(default=(), title="Lines")
    occluders: tuple[Polygon, ...] = Field(
        default=(),
        max_length=200,
        title="Occluders",
        description="Furniture in view that hides feet: a polygon [x, y], 0..1, around each piece as seen.",
    )
    ignore: tuple[Polygon, ...] = Field(
        default=(),
        max_length=200,
        title="Ignore",
        description="Areas where people raise nothing, such as a screen: polygons [x, y], 0..1, around feet.",
    )
    contact_pairs: tuple[Pair, ...] = Field(
        default=(Pair.STAFF_RESIDENT, Pair.OUTSIDER_ANY),
        title="Contact pairs",
        description="Pairs of roles whose contact is evaluated.",
    )

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        seen: dict[str, str] = {}
        for (field, i), part in self.parts():
            claim_id(seen, part.id, f"{field}[{i}]", field, i, "id")
        return self

    @property
    def picture_aspect(self) -> Fraction | None:
        """Width over height of the upright picture, by `aspect_ratio`; None = as the file states."""
        return None if self.aspect_ratio is None else Fraction(*map(int, self.aspect_ratio.split(":")))

    def parts(self) -> Iterator[tuple[tuple[str, int], Zone | Line]]:
        """The zones, then the lines, each with its place below the camera: `("zones", 0)`."""
        for i, zone in enumerate(self.zones):
            yield ("zones", i), zone
        for i, line in enumerate(self.lines):
            yield ("lines", i), line


def claim_id(seen: dict[str, str], name: str, owner: str, *at: int | str) -> None:
    """Record in `seen` that `owner` has an id; refuse the id when another owner has it.

    Case is ignored: ids name folders, and some file systems do not distinguish A from a.
    """
    if (other := seen.setdefault(name.casefold(), owner)) != owner:
        refuse("a unique id", f"{name!r}, which {other} has too", *at, code=FaultCode.DUPLICATE)
