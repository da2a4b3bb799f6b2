"""Coded pictures to RTP payloads: H.264 by RFC 6184 (mode 1), H.265 by RFC 7798."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

CLOCK_HZ = 90_000
"""Ticks per second of RTP timestamps of video."""
MTU = 1400
"""Bytes of one RTP payload, at most, so that a packet fits into one Ethernet frame."""
_STAP_A, _FU_A = 24, 28
_AP, _FU = 48, 49


def nal_units(annex_b: bytes) -> list[bytes]:
    """NAL units of a byte stream (Annex B), without start codes and trailing zeros."""
    units = []
    at = annex_b.find(b"\0\0\1")
    while at >= 0:
        following = annex_b.find(b"\0\0\1", at + 3)
        unit = annex_b[at + 3 : following if following >= 0 else None].rstrip(b"\0")
        if unit:
            units.append(unit)
        at = following
    return units


def nal_type(unit: bytes, codec: str) -> int:
    """The type of a NAL unit; `codec` is h264 or hevc."""
    return unit[0] & 0x1F if codec == "h264" else unit[0] >> 1 & 0x3F


def payloads(units: Sequence[bytes], codec: str, mtu: int = MTU) -> list[bytes]:
    """RTP payloads of the NAL units of one picture.

    Small units that follow each other share one payload, a unit larger than `mtu` bytes is cut.
    """
    made: list[bytes] = []
    for group in _groups(units, mtu):
        if len(group) > 1:
            made.append(_aggregate(group, codec))
        elif len(group[0]) <= mtu:
            made.append(group[0])
        else:
            made.extend(_fragments(group[0], codec, mtu))
    return made


def _groups(units: Iterable[bytes], mtu: int) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 2
    for unit in units:
        if group and size + 2 + len(unit) > mtu:
            yield group
            group, size = [], 2
        group.append(unit)
        size += 2 + len(unit)
    if group:
        yield group


def _aggregate(group: Sequence[bytes], codec: str) -> bytes:
    if codec == "h264":
        header = bytes([max(unit[0] & 0x60 for unit in group) | _STAP_A])
    else:
        # Layer 0 and the lowest temporal identifier of all, as RFC 7798 4.4.2 asks for.
        header = bytes([_AP << 1, min(unit[1] & 7 for unit in group)])
    return header + b"".join(len(unit).to_bytes(2, "big") + unit for unit in group)


def _fragments(unit: bytes, codec: str, mtu: int) -> Iterator[bytes]:
    kind = nal_type(unit, codec)
    if codec == "h264":
        indicator, skipped = bytes([unit[0] & 0xE0 | _FU_A]), 1
    else:
        indicator, skipped = bytes([unit[0] & 0x81 | _FU << 1, unit[1]]), 2
    step = mtu - len(indicator) - 1
    for at in range(skipped, len(unit), step):
        first, last = at == skipped, at + step >= len(unit)
        yield indicator + bytes([first << 7 | last << 6 | kind]) + unit[at : at + step]
