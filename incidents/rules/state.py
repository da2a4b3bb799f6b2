"""The state of a camera's rules as bytes: plain data, small, and bounded however long the camera is watched.

Format: a header of JSON, one line, and the tables compressed with zlib. The header holds the open incidents
and the shapes of the tables. A table is cut after its last slot in use, and free slots are set to zero.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from incidents.rules.compiling import records
from incidents.rules.lifecycle import EndedIncident, Key, OpenExposure, OpenIncident
from incidents.rules.machines.tables import GATHERING_TABLES, PAIR_TABLES, PERSON_TABLES, Tables
from incidents.rules.reading import RuleError

FORMAT = "lazaretto-rules-1"
_OPEN = TypeAdapter(list[tuple[Key, OpenIncident]])
_ENDED = TypeAdapter(list[EndedIncident])
_CARE = TypeAdapter(list[tuple[tuple[int, int], OpenExposure]])
_MIN_SLOTS = 2


def encode(
    tables: Tables,
    rest: Mapping[str, Any],
    incidents: Mapping[Key, OpenIncident],
    ended: list[EndedIncident],
    care: Mapping[tuple[int, int], OpenExposure],
) -> bytes:
    """Encode a state; `rest` is JSON."""
    shapes: dict[str, list[int]] = {}
    parts: list[bytes] = []
    for name, table in zip(Tables._fields, tables, strict=True):
        kept = _trimmed(tables, name, table)
        shapes[name] = list(kept.shape)
        parts.append(np.ascontiguousarray(kept).tobytes())
    header = {
        "format": FORMAT,
        "rest": dict(rest),
        "open": json.loads(_OPEN.dump_json(list(incidents.items()))),
        "ended": json.loads(_ENDED.dump_json(ended)),
        "care": json.loads(_CARE.dump_json(list(care.items()))),
        "shapes": shapes,
    }
    text = zlib.compress(json.dumps(header, separators=(",", ":")).encode(), 9)
    body = text + zlib.compress(b"".join(parts), 9)
    return f"{FORMAT} {len(text)} {zlib.crc32(body):08x}\n".encode() + body


def decode(
    data: bytes, empty: Tables
) -> tuple[
    Tables, dict[str, Any], dict[Key, OpenIncident], list[EndedIncident], dict[tuple[int, int], OpenExposure]
]:
    """Decode what `encode` gave, in its order; `empty` are tables of the facility file that was in force.

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
        header = json.loads(zlib.decompress(body[:length]))
        content = zlib.decompress(body[length:])
        at = 0
        for name, table in zip(Tables._fields, empty, strict=True):
            shape = tuple(header["shapes"][name])
            if shape[1:] != table.shape[1:]:
                raise RuleError(
                    f"expected a state of this facility file, got one whose {name} have the shape {shape}"
                )
            count = int(np.prod(shape))
            values = np.frombuffer(content, table.dtype, count, at).reshape(shape).copy()
            at += count * table.dtype.itemsize
            tables[name] = records(values) if table.dtype.names else values
        return (
            Tables(**tables),
            header["rest"],
            dict(_OPEN.validate_python(_lists(header["open"]))),
            _ENDED.validate_python(header["ended"]),
            dict(_CARE.validate_python(_lists(header["care"]))),
        )
    except (ValidationError, ValueError, KeyError, zlib.error) as error:
        raise RuleError(
            f"expected a state of a camera's rules, got one that cannot be read: {error}"
        ) from None


def _lists(items: list[Any]) -> list[Any]:
    """JSON has no tuples: pairs as tuples again."""
    return [tuple(item) for item in items]


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
