"""Validation of the parts of a facility file: what pydantic finds becomes a line, a field and a fault."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from zones.credentials import redact
from zones.errors import FacilityError, Fault, FaultCode, LazarettoError

Loc = tuple[int | str, ...]
"""The keys and list indices that lead to a value of a document."""
MAX_CHOICES_NAMED = 12
"""Known values that an error names."""


class Model(BaseModel):
    """A frozen part of the facility file that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)


def refuse(
    expected: str, got: str, *at: int | str, code: FaultCode = FaultCode.INVALID, hint: str = ""
) -> NoReturn:
    """Raise the error of a validator; `at` is where the fault lies below the validated value.

    Pydantic gives an error of a whole model no location; `at` in the context restores it.
    """
    sentence = Fault(expected, got, code, hint).sentence
    context = {"sentence": sentence, "expected": expected, "got": got, "hint": hint, "at": at}
    raise PydanticCustomError(code.value, "{sentence}", context)


def suggest(word: str, known: Iterable[str]) -> str:
    """`"did you mean 'x'?"` for the known word nearest to `word`; empty when none is near.

    Case, diacritics and blanks do not count: "Phòng 101" is near "phong-101".
    """
    by_slug = {slug(name): str(name) for name in known}
    match = difflib.get_close_matches(slug(word), list(by_slug), n=1, cutoff=0.6)
    return f"did you mean {by_slug[match[0]]!r}?" if match else ""


def slug(text: str) -> str:
    """Text as an id would write it: lower case, without diacritics, hyphens for all else that no id has."""
    bare = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    kept = "".join(char for char in bare if not unicodedata.combining(char))
    return re.sub(r"[^a-z0-9._]+", "-", kept).strip("-._")


def check_choices(option: str, wanted: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a filter's value that is none of the known ones.

    Args:
        option: what is chosen, such as "--camera", for the message.
        wanted: the values given.
        known: the values that there are.

    Raises:
        LazarettoError: with the nearest known value.
    """
    choices = list(known)
    for value in wanted:
        if value not in choices:
            some = ", ".join(choices[:MAX_CHOICES_NAMED]) + (
                ", ..." if len(choices) > MAX_CHOICES_NAMED else ""
            )
            hint = suggest(value, choices)
            raise LazarettoError(
                f"{option}: expected one of {some or 'none (there is none yet)'}, got {value!r}"
                f"{f' ({hint})' if hint else ''}"
            )


def describe(value: object) -> str:
    """A value as an error shows it: text in quotes and without secrets, numbers, containers by kind."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        short = redact(value)
        return repr(short if len(short) <= 60 else short[:57] + "...")
    return f"{value:g}" if isinstance(value, float) else str(value)


def path_of(loc: Loc) -> str:
    """`("cameras", 0, "id")` as `cameras[0].id`."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc if step != "[key]")
    return path.removeprefix(".")


def explain(
    error: ValidationError,
    file: str,
    line_of: Callable[[Loc], int],
    schema: Mapping[str, Any],
    written_at: Callable[[Loc], Loc] = lambda loc: loc,
) -> FacilityError:
    """The error of the first fault, in the order of lines; the other faults are counted.

    Args:
        error: what pydantic found.
        file: name of the file.
        line_of: gives the line of a location.
        schema: JSON Schema of the file, for the names that are known at a location.
        written_at: gives the location in the file, where its version is older than the validated one.
    """
    details = [(written_at(_location(detail)), detail) for detail in error.errors(include_url=False)]
    faults = [(line_of(loc), loc, detail) for loc, detail in details if not _follows(loc, detail, details)]
    line, loc, detail = min(faults, key=lambda fault: fault[0])
    fault = _fault(detail, loc, schema)
    return FacilityError(fault, file=file, line=line, field=path_of(loc), others=len(faults) - 1)


def fault_at(error: ValidationError, loc: Loc, schema: Mapping[str, Any]) -> Fault | None:
    """The first fault at a location or below it; None when there is none."""
    for detail in error.errors(include_url=False):
        at = _location(detail)
        if at[: len(loc)] == loc:
            return _fault(detail, at, schema)
    return None


def _location(detail: ErrorDetails) -> Loc:
    return (*detail["loc"], *detail.get("ctx", {}).get("at", ()))


def _follows(loc: Loc, detail: ErrorDetails, details: list[tuple[Loc, ErrorDetails]]) -> bool:
    """Whether a fault is only the consequence of another, more specific one."""
    if detail["type"] == "too_short":
        # Pydantic does not count faulty items as items.
        return any(len(other) > len(loc) and other[: len(loc)] == loc for other, _ in details)
    if detail["type"] == "missing":
        # The field is there under a misspelt name.
        return any(
            other[:-1] == loc[:-1]
            and found["type"] == "extra_forbidden"
            and suggest(str(other[-1]), [str(loc[-1])])
            for other, found in details
        )
    return False


_EXPECTED_TYPE = {
    "string_type": "text",
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "finite_number": "a finite number",
}
"""What pydantic's error types expect."""
_OF_POLYGONS = ("ignore", "occluders")
"""Fields that hold a list of polygons, where others hold one."""
_BOUNDS = (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than"))


def _fault(detail: ErrorDetails, loc: Loc, schema: Mapping[str, Any]) -> Fault:
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    got = describe(value)
    if "at" in context:
        hint = context["hint"] or _id_hint(value, schema_at(schema, loc).get("pattern"))
        return Fault(context["expected"], context["got"], FaultCode(kind), hint)
    if kind == "missing":
        choices = schema_at(schema, loc).get("enum") or schema_at(schema, (*loc, 0)).get("enum")
        return Fault(f"one of {', '.join(choices)}" if choices else "a value", "nothing", FaultCode.MISSING)
    if kind == "extra_forbidden":
        known, name = list(schema_at(schema, loc[:-1]).get("properties", {})), str(loc[-1])
        expected = f"one of the fields {', '.join(known)}"
        hint = suggest(name, known) or _field_with(name, known)
        return Fault(expected, describe(name), FaultCode.UNKNOWN_FIELD, hint)
    if kind in ("enum", "literal_error"):
        listed = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        hint = suggest(str(value), listed.split(", "))
        return Fault(f"one of {listed}", got, FaultCode.NOT_A_CHOICE, hint)
    if kind == "too_short":
        count = f"at least {_counted(context['min_length'], loc)}"
        return Fault(count, str(context["actual_length"]), FaultCode.TOO_FEW)
    if kind == "too_long":
        count = f"at most {_counted(context['max_length'], loc)}"
        hint = _comma_hint(value, context["max_length"])
        return Fault(count, str(context["actual_length"]), FaultCode.TOO_MANY, hint)
    if kind == "string_too_short":
        return Fault("some text", "none", FaultCode.TOO_FEW)
    if kind == "string_too_long":
        return Fault(f"at most {context['max_length']} characters", str(len(value)), FaultCode.TOO_MANY)
    for name, words in _BOUNDS:
        if name in context:
            return Fault(f"{words} {context[name]:g}", got, FaultCode.OUT_OF_RANGE)
    if kind in _EXPECTED_TYPE:
        hint = "put it in quotes" if kind == "string_type" and isinstance(value, (int, float)) else ""
        if (
            kind == "tuple_type"
            and isinstance(value, (int, float))
            and len(loc) > 2
            and loc[-3] in _OF_POLYGONS
        ):
            hint = f"`{loc[-3]}` is a list of polygons: put one more pair of brackets around it"
        return Fault(_EXPECTED_TYPE[kind], got, FaultCode.WRONG_TYPE, hint)
    return Fault("a valid value", got, hint=detail["msg"])


def _field_with(name: str, known: Iterable[str]) -> str:
    """`"did you mean 'default_role'?"` for `role`: the shortest field that has the word in its name."""
    found = [field for field in known if name in field.split("_")]
    return f"did you mean {min(found, key=len)!r}?" if found else ""


def _comma_hint(value: object, most: int) -> str:
    """What to do about `[0,45, 0,35]`, in which YAML sees twice as many numbers as there are."""
    if isinstance(value, (list, tuple)) and len(value) == 2 * most and all(type(v) is int for v in value):
        return "write decimals with a point, such as 0.45"
    return ""


def _id_hint(value: object, pattern: str | None) -> str:
    """How a text that is no id could be written as one; empty where none is asked for, or nothing is left."""
    if not isinstance(value, str) or pattern is None or re.fullmatch(pattern, slug(value)) is None:
        return ""
    return f"write {slug(value)!r}, and what people call it as `name`"


def _counted(count: int, loc: Loc) -> str:
    """`3 points`: a number of the items that a list has."""
    noun = "values" if isinstance(loc[-1], int) else "points" if loc[-1] == "polygon" else str(loc[-1])
    return f"{count} {noun.removesuffix('s') if count == 1 else noun}"


def schema_at(schema: Mapping[str, Any], loc: Loc) -> Mapping[str, Any]:
    """The part of a JSON Schema that describes the value at `loc`; empty where there is none."""
    definitions = schema.get("$defs", {})

    def resolve(part: Mapping[str, Any]) -> Mapping[str, Any]:
        for choice in part.get("anyOf", []):
            if choice.get("type") != "null":
                return resolve(choice)
        if "$ref" in part:
            return resolve(definitions.get(part["$ref"].rsplit("/", 1)[-1], {}))
        return part

    part = resolve(schema)
    for step in loc:
        if isinstance(step, int):
            prefix = part.get("prefixItems", [])
            part = prefix[step] if step < len(prefix) else part.get("items", {})
        else:
            named = part.get("patternProperties", {"": part.get("additionalProperties", {})})
            part = part.get("properties", {}).get(step, next(iter(named.values())))
        part = resolve(part if isinstance(part, Mapping) else {})
    return part
