"""The parts of a facility file, and how a fault in one is told: where, what was expected, what came."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from zones.credentials import redact
from zones.errors import LazarettoError

Loc = tuple[int | str, ...]


class FacilityError(LazarettoError):
    """A facility file that cannot be used: the text says where, what was expected and what came."""


class Model(BaseModel):
    """A frozen part of the facility file that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)


def refuse(sentence: str, *at: int | str) -> NoReturn:
    """Raise the error of a validator; `at` is where the fault lies below the validated value.

    Pydantic gives an error of a whole model no place; the place in the context restores it.
    """
    raise PydanticCustomError("refused", "{sentence}", {"sentence": sentence, "at": at})


def nearest(word: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` for the known word nearest to `word`, or nothing when none is near."""
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {match[0]!r}?" if match else ""


def describe(value: object) -> str:
    """A value as told in an error: text in quotes and without secrets, numbers, containers by kind."""
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
    name: str,
    line_of: Callable[[Loc], int],
    schema: Mapping[str, Any],
    written_at: Callable[[Loc], Loc] = lambda loc: loc,
) -> FacilityError:
    """The first fault, in the order of the lines of file `name`, as one sentence; the rest are counted.

    `line_of` gives the line of a part; `schema`, the JSON Schema of the file, the names that are known there;
    `written_at`, where the file has a part, if it is of an older version than was validated.
    """
    details = [
        (written_at((*detail["loc"], *detail.get("ctx", {}).get("at", ()))), detail)
        for detail in error.errors(include_url=False)
    ]
    faults = [(line_of(loc), loc, detail) for loc, detail in details if not _follows(loc, detail, details)]
    line, loc, detail = min(faults, key=lambda fault: fault[0])
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    path = path_of(loc)
    where = f"{path}: " if path else ""
    return FacilityError(f"{name}: line {line}: {where}{_sentence(detail, loc, schema)}{more}")


def sentence_at(error: ValidationError, loc: Loc, schema: Mapping[str, Any]) -> str | None:
    """What is wrong at a place or below it, in the words of `explain`; None when nothing is."""
    for detail in error.errors(include_url=False):
        at = (*detail["loc"], *detail.get("ctx", {}).get("at", ()))
        if at[: len(loc)] == loc:
            return _sentence(detail, at, schema)
    return None


def _follows(loc: Loc, detail: ErrorDetails, details: list[tuple[Loc, ErrorDetails]]) -> bool:
    """Whether a fault is only the consequence of another, which tells more."""
    if detail["type"] == "too_short":
        # Items at fault are not counted by pydantic as items.
        return any(len(other) > len(loc) and other[: len(loc)] == loc for other, _ in details)
    if detail["type"] == "missing":
        # The field is there, misspelt.
        return any(
            other[:-1] == loc[:-1]
            and found["type"] == "extra_forbidden"
            and nearest(str(other[-1]), [str(loc[-1])])
            for other, found in details
        )
    return False


_WANTED = {
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


def _sentence(detail: ErrorDetails, loc: Loc, schema: Mapping[str, Any]) -> str:
    kind, ctx, value = detail["type"], detail.get("ctx", {}), detail["input"]
    got = describe(value)
    if kind == "refused":
        return str(ctx["sentence"])
    if kind == "missing":
        choices = schema_at(schema, loc).get("enum") or schema_at(schema, (*loc, 0)).get("enum")
        return f"expected {'one of ' + ', '.join(choices) if choices else 'a value'}, got nothing"
    if kind == "extra_forbidden":
        known = list(schema_at(schema, loc[:-1]).get("properties", {}))
        return f"expected one of the fields {', '.join(known)}, got {loc[-1]!r}{nearest(str(loc[-1]), known)}"
    if kind in ("enum", "literal_error"):
        expected = str(ctx["expected"]).replace("'", "").replace(" or ", ", ")
        return f"expected one of {expected}, got {got}{nearest(str(value), expected.split(', '))}"
    if kind in ("too_short", "too_long"):
        count = ctx["min_length"] if kind == "too_short" else ctx["max_length"]
        noun = "values" if isinstance(loc[-1], int) else "points" if loc[-1] == "polygon" else loc[-1]
        noun = noun.removesuffix("s") if count == 1 else noun
        bound = "at least" if kind == "too_short" else "at most"
        return f"expected {bound} {count} {noun}, got {ctx['actual_length']}"
    if kind == "string_too_short":
        return "expected some text, got none"
    if kind == "string_too_long":
        return f"expected at most {ctx['max_length']} characters, got {len(value)}"
    for name, words in (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than")):
        if name in ctx:
            return f"expected {words} {ctx[name]:g}, got {got}"
    if kind in _WANTED:
        hint = " (put it in quotes)" if kind == "string_type" and isinstance(value, (int, float)) else ""
        return f"expected {_WANTED[kind]}, got {got}{hint}"
    return f"expected a valid value, got {got} ({detail['msg']})"


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
