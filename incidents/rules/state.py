"""The state of a camera's rules as bytes: plain data, small, and bounded however long the camera is watched.

Format: a line with the format, a length and a checksum; a header of that length, JSON; and the tables, field
by field. Header and tables are compressed with bzip2, which makes the histograms of a crowd half as large as
zlib does. The header holds the open incidents and the shapes of the tables. A table is cut after its last
slot in use, and what no machine reads any more is set to zero.
"""

from __future__ import annotations

import bz2
import json
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from incidents.rules.care import EndedExposure, Name, OpenExposure
from incidents.rules.compiling import records
from incidents.rules.ended import EndedIncident
from incidents.rules.machines.tables import GATHERING_TABLES, PAIR_TABLES, PERSON_TABLES, Tables
from incidents.rules.marks.camera_marks import SAVED
from incidents.rules.measurements import Key, OpenIncident
from incidents.rules.reading import RuleError

FORMAT = "lazaretto-rules-7"
_OPEN = TypeAdapter(list[tuple[Key, OpenIncident]])
_ENDED = TypeAdapter(list[EndedIncident])
_CARE = TypeAdapter(list[tuple[Name, OpenExposure]])
_ENDED_CARE = TypeAdapter(list[EndedExposure])
_MIN_SLOTS = 2


@dataclass(frozen=True)
class State:
    """What a camera's rules carry on with.

    Attributes:
        tables: of the machines.
        rest: JSON.
        open, ended, care, ended_care: incidents and entries of the exposure log that may still change; see
            `Lifecycle` and `CareLog`.
        marks: which tracks are marked; see `CameraMarks`.
    """

    tables: Tables
    rest: dict[str, Any]
    open: dict[Key, OpenIncident]
    ended: list[EndedIncident]
    care: dict[Name, OpenExposure]
    ended_care: list[EndedExposure]
    marks: dict[str, np.ndarray]


def encode(state: State) -> bytes:
    """Encode a state, whose tables are without leftovers."""
    tables = state.tables
    shapes: dict[str, list[int]] = {}
    parts: list[bytes] = []
    for name, table in zip(Tables._fields, tables, strict=True):
        kept = _trimmed(tables, name, table)
        shapes[name] = list(kept.shape)
        # The values of one field are alike, and compress better side by side.
        parts += [np.ascontiguousarray(values).tobytes() for values in _fields(kept)]
    for name, table in state.marks.items():
        shapes[name] = list(table.shape)
        parts += [np.ascontiguousarray(values).tobytes() for values in _fields(table)]
    header = {
        "format": FORMAT,
        "rest": state.rest,
        "open": json.loads(_OPEN.dump_json(list(state.open.items()))),
        "ended": json.loads(_ENDED.dump_json(state.ended)),
        "care": json.loads(_CARE.dump_json(list(state.care.items()))),
        "ended_care": json.loads(_ENDED_CARE.dump_json(state.ended_care)),
        "shapes": shapes,
    }
    text = bz2.compress(json.dumps(header, separators=(",", ":")).encode())
    body = text + bz2.compress(b"".join(parts))
    return f"{FORMAT} {len(text)} {zlib.crc32(body):08x}\n".encode() + body


def decode(data: bytes, empty: Tables) -> State:
    """Decode what `encode` gave; `empty` are tables of the facility file that was in force.

    Raises:
        RuleError: the bytes are torn, or are no state of this version and facility file.
    """
    line, _, body = data.partition(b"\n")
    words = line.decode("ascii", "replace").split(" ")
    if len(words) != 3 or words[0] != FORMAT:
        raise RuleError(f"expected the state of a camera's rules ({FORMAT}), got {words[0][:40]!r}")
    if f"{zlib.crc32(body):08x}" != words[2]:
        raise RuleError("expected a whole state of a camera's rules, got one that is torn")
    length = int(words[1])
    tables: dict[str, Any] = {}
    try:
        header = json.loads(bz2.decompress(body[:length]))
        content = bz2.decompress(body[length:])
        at = 0
        for name, table in zip(Tables._fields, empty, strict=True):
            shape = tuple(header["shapes"][name])
            if shape[1:] != table.shape[1:]:
                raise RuleError(
                    f"expected a state of this facility file, got one whose {name} have the shape {shape}"
                )
            values, at = _read(content, at, shape, table.dtype)
            tables[name] = records(values) if table.dtype.names else values
        marks: dict[str, np.ndarray] = {}
        for name, kind in SAVED.items():
            marks[name], at = _read(content, at, tuple(header["shapes"][name]), kind)
        return State(
            Tables(**tables),
            header["rest"],
            dict(_OPEN.validate_python(_lists(header["open"]))),
            _ENDED.validate_python(header["ended"]),
            dict(_CARE.validate_python(_lists(header["care"]))),
            _ENDED_CARE.validate_python(header["ended_care"]),
            marks,
        )
    except (ValidationError, ValueError, KeyError, OSError) as error:
        raise RuleError(
            f"expected a state of a camera's rules, got one that cannot be read: {error}"
        ) from None


def _fields(table: np.ndarray) -> list[np.ndarray]:
    """The fields of a table, or the table itself where it has none."""
    return [table[field] for field in table.dtype.names] if table.dtype.names else [table]


def _lists(items: list[Any]) -> list[Any]:
    """JSON has no tuples: pairs as tuples again."""
    return [tuple(item) for item in items]


def _read(content: bytes, at: int, shape: tuple[int, ...], kind: np.dtype[Any]) -> tuple[np.ndarray, int]:
    """A table, and where the next one begins."""
    values, count = np.empty(shape, kind), int(np.prod(shape))
    for name in kind.names or (None,):
        target = values if name is None else values[name]
        target[...] = np.frombuffer(content, target.dtype, count, at).reshape(shape)
        at += count * target.dtype.itemsize
    return values, at


def _trimmed(tables: Tables, name: str, table: np.ndarray) -> np.ndarray:
    """A table without the slots after the last one in use, and with zeros in those that are free."""
    for names in (PERSON_TABLES, PAIR_TABLES, GATHERING_TABLES):
        if name in names:
            used = getattr(tables, names[0])["used"] == 1
            count = max(_MIN_SLOTS, int(np.flatnonzero(used)[-1]) + 1 if used.any() else 0)
            kept = np.array(table[:count])
            kept[~used[:count]] = np.zeros((), table.dtype)
            return kept
    return np.asarray(table)
