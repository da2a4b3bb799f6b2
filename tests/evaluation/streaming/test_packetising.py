"""Payloads of RTP, taken apart as strictly as RFC 6184 and RFC 7798 are written."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.streaming.packetising import nal_units, payloads

MTU = 100


def taken_apart(packets: Sequence[bytes], codec: str) -> list[bytes]:
    """The NAL units in payloads; asserts what the RFCs demand of each payload."""
    aggregate, fragment, header = (24, 28, 1) if codec == "h264" else (48, 49, 2)
    units: list[bytes] = []
    begun: bytes | None = None
    for packet in packets:
        assert len(packet) <= MTU
        kind = packet[0] & 31 if codec == "h264" else packet[0] >> 1 & 63
        assert begun is None or kind == fragment
        if kind == aggregate:
            rest = packet[header:]
            held = 0
            while rest:
                size = int.from_bytes(rest[:2], "big")
                assert 0 < size <= len(rest) - 2
                units.append(rest[2 : 2 + size])
                rest, held = rest[2 + size :], held + 1
            assert held > 1
        elif kind == fragment:
            flags, data = packet[header], packet[header + 1 :]
            first, last, inner = flags & 0x80, flags & 0x40, flags & (31 if codec == "h264" else 63)
            assert not (first and last) and data
            assert bool(first) == (begun is None)
            if first:
                begun = (
                    bytes([packet[0] & 0xE0 | inner])
                    if codec == "h264"
                    else bytes([packet[0] & 0x81 | inner << 1])
                )
                begun += packet[1:header]
            assert begun is not None
            begun += data
            if last:
                units.append(begun)
                begun = None
        else:
            units.append(packet)
    assert begun is None
    return units


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@given(
    sizes=st.lists(st.integers(3, 350), min_size=1, max_size=8),
    kinds=st.lists(st.integers(1, 9), min_size=8, max_size=8),
)
def test_units_of_any_size_are_found_again(codec: str, sizes: list[int], kinds: list[int]) -> None:
    heads = [bytes([0x60 | kind]) if codec == "h264" else bytes([kind << 1, 1]) for kind in kinds]
    units = [
        head + bytes(1 + n % 255 for n in range(size - len(head)))
        for head, size in zip(heads, sizes, strict=False)
    ]
    assert taken_apart(payloads(units, codec, MTU), codec) == units
    stream = b"".join((b"\0\0\0\1" if n % 2 else b"\0\0\1") + unit for n, unit in enumerate(units))
    assert nal_units(stream) == units
