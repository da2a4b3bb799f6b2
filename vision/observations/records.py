"""Rows of the observation log as the payload of a record of an append log, and back.

A record holds the rows of about a second, so it must be small without the 3 kB that describe the columns of a
Parquet or Arrow file, and quick to write: the names of the columns stand once, at the head of the append log
(`vision.observations.append_file`). Values are stored exactly as they came, and rounded when they are read
(`rounded`), because rounding takes longer than all the rest and gives the same result then.

A payload is compressed with zlib and holds, in this order:

- the number of rows and the length of the texts (two little-endian u32);
- the different texts of the record, as a JSON list;
- a bit per integer and text that says whether it is null;
- the integers and the texts (as their index in the list), i64, as differences from the row before;
- the floats, f32, XORed with the row before.

Rows are sorted by track and time. Numbers lie column by column, and within a column first all lowest bytes,
then all second bytes and so on, which makes long runs of zeros. A record without rows has an empty payload.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from vision.observations.packing import DERIVED
from vision.observations.schema import SCHEMA, ObservationError, empty

LEVEL = 1
"""zlib level of a payload; higher levels save 2 % and take longer."""
_COUNTS = struct.Struct("<II")
_CANONICAL_NAN = np.float32("nan").view(np.uint32)


@dataclass(frozen=True)
class Columns:
    """The columns of a payload, by how they are stored. Cameras are not among them: a file is of one camera.

    Attributes:
        integers: whole numbers, and times as microseconds UTC.
        texts: strings.
        floats: float32; NaN = null.
    """

    integers: tuple[str, ...]
    texts: tuple[str, ...]
    floats: tuple[str, ...]

    @classmethod
    def of_schema(cls) -> Columns:
        """The columns of `SCHEMA`, without those that are not stored.

        Raises:
            ObservationError: a column has a type that a payload cannot hold.
        """
        kinds: dict[str, list[str]] = {"integers": [], "texts": [], "floats": []}
        for name, kind in SCHEMA.items():
            if name == "camera" or name in DERIVED:
                continue
            if kind.is_integer() or kind == pl.Datetime("us", "UTC"):
                kinds["integers"].append(name)
            elif kind == pl.String():
                kinds["texts"].append(name)
            elif kind == pl.Float32():
                kinds["floats"].append(name)
            else:
                raise ObservationError(
                    f"expected a column of whole numbers, float32, text or time, got {name} of type {kind}"
                )
        return cls(**{kind: tuple(names) for kind, names in kinds.items()})


def encode_rows(rows: pl.DataFrame, columns: Columns) -> bytes:
    """Encode rows of `SCHEMA` of one camera as a payload; rows of equal track and time keep their order."""
    if rows.is_empty():
        return b""
    names = (*columns.integers, *columns.texts)
    whole = np.zeros((len(names), len(rows)), np.int64)
    null = np.zeros(whole.shape, bool)
    texts: dict[str, int] = {}
    for line, name in enumerate(names):
        column = rows[name]
        if name in columns.texts or column.null_count():
            # With so few rows a list is quicker than what polars would prepare to say which are null.
            values = column.to_physical().to_list()
            null[line] = [value is None for value in values]
            if name in columns.texts:
                values = [None if text is None else texts.setdefault(text, len(texts)) for text in values]
            whole[line] = [0 if value is None else value for value in values]
        else:
            whole[line] = column.to_numpy().view(np.int64) if name == "t" else column.to_numpy()
    order = np.lexsort((whole[names.index("t")], whole[names.index("track")]))
    whole, null = whole[:, order], null[:, order]
    floats = np.stack([rows[name].to_numpy() for name in columns.floats])[:, order]
    bits = np.where(np.isnan(floats), _CANONICAL_NAN, floats.view(np.uint32))
    whole[:, 1:] -= whole[:, :-1].copy()  # differences may overflow; sums overflow back
    bits[:, 1:] ^= bits[:, :-1].copy()
    listed = json.dumps(list(texts), ensure_ascii=False, separators=(",", ":")).encode()
    body = (
        _COUNTS.pack(len(rows), len(listed)),
        listed,
        np.packbits(null, axis=1).tobytes(),
        _shuffled(whole),
        _shuffled(bits),
    )
    return zlib.compress(b"".join(body), LEVEL)


def decode_rows(payloads: Sequence[bytes | memoryview], columns: Columns, camera: str) -> pl.DataFrame:
    """Decode payloads into rows of `SCHEMA`, not rounded, record by record.

    Columns that the payloads lack are null, and columns that `SCHEMA` lacks are left out.
    """
    names = (*columns.integers, *columns.texts)
    whole_parts, null_parts, float_parts = [], [], []
    texts: dict[str, int] = {}
    for payload in payloads:
        if not payload:
            continue
        body = zlib.decompress(payload)
        count, length = _COUNTS.unpack_from(body)
        at = _COUNTS.size + length
        listed = json.loads(body[_COUNTS.size : at])
        width = (count + 7) // 8
        packed = np.frombuffer(body, np.uint8, len(names) * width, at).reshape(len(names), width)
        at += packed.size
        whole = np.cumsum(_unshuffled(body, at, (len(names), count), "<i8"), axis=1)
        at += whole.size * 8
        if listed:
            known = np.array([texts.setdefault(text, len(texts)) for text in listed])
            lines = slice(len(columns.integers), None)
            whole[lines] = known[whole[lines]]
        whole_parts.append(whole)
        null_parts.append(np.unpackbits(packed, axis=1, count=count).view(bool))
        bits = _unshuffled(body, at, (len(columns.floats), count), "<u4")
        float_parts.append(np.bitwise_xor.accumulate(bits, axis=1).view(np.float32))
    if not whole_parts:
        return empty()
    whole, null = np.concatenate(whole_parts, axis=1), np.concatenate(null_parts, axis=1)
    floats = np.concatenate(float_parts, axis=1)
    table: dict[str, pl.Series] = {}
    listed = pl.Series([*texts, None], dtype=pl.String)
    for line, name in enumerate(names):
        if name in columns.texts:
            table[name] = listed.gather(np.where(null[line], len(texts), whole[line]))
        else:
            table[name] = pl.Series(whole[line]).set(pl.Series(null[line]), None)
    table |= {name: pl.Series(line).fill_nan(None) for name, line in zip(columns.floats, floats, strict=True)}
    values = {
        **{name: pl.lit(None) for name in SCHEMA if name not in table},
        "camera": pl.lit(camera),
        "t": pl.from_epoch("t", "us").dt.replace_time_zone("UTC"),
    }
    return pl.DataFrame(table).select(
        values.get(name, pl.col(name)).cast(kind).alias(name) for name, kind in SCHEMA.items()
    )


def _shuffled(numbers: np.ndarray) -> bytes:
    """The bytes of a table of numbers, line by line, with the bytes of equal weight beside each other."""
    little = np.ascontiguousarray(numbers, numbers.dtype.newbyteorder("<"))
    size = little.dtype.itemsize
    return little.view(np.uint8).reshape(*little.shape, size).transpose(0, 2, 1).tobytes()


def _unshuffled(body: bytes, at: int, shape: tuple[int, int], kind: str) -> np.ndarray:
    """Undo `_shuffled` on the bytes of `body` from `at` on."""
    size = np.dtype(kind).itemsize
    raw = np.frombuffer(body, np.uint8, shape[0] * shape[1] * size, at)
    lines = np.ascontiguousarray(raw.reshape(shape[0], size, shape[1]).transpose(0, 2, 1))
    return lines.view(kind).reshape(shape)
