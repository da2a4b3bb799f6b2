"""Whole pictures of H.264 that were lost on the way.

A picture that others refer to has a number one higher than the one before (`frame_num`, ITU-T H.264, 7.4.3).
Where a number is left out, what follows is predicted from a picture that never came. FFmpeg's decoder then
repeats the picture before and says nothing, and over TCP its demuxer does not look at the numbers of packets.
For H.265 the decoder does say what it misses.
"""

from __future__ import annotations

from collections.abc import Iterator

_SLICE, _IDR, _SPS = 1, 5, 7
_HIGH_PROFILES = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
"""Profiles whose parameter sets state a format of chroma (7.3.2.1.1)."""
_HEAD_BYTES = 24
"""More than what stands before `frame_num` in a slice."""


class FrameNumbers:
    """Follows the numbers of the pictures of one stream, in Annex B format."""

    def __init__(self, parameter_sets: bytes) -> None:
        """Begin with the parameter sets that the stream stated outside its packets, if any."""
        self._bits = 0  # of frame_num; 0 = unknown, or pictures may be left out on purpose
        self._separate_planes = False
        self._last: int | None = None  # of the last picture that others refer to
        self._read_sets(parameter_sets)

    def lost_before(self, packet: bytes) -> bool:
        """Whether a picture was lost between the packet before, as given here, and this one."""
        for kind, reference, unit in _units(packet):
            if kind == _SPS:
                self._read_set(unit)
            elif kind in (_SLICE, _IDR):
                return self._take(kind == _IDR, reference, unit)
        return False

    def _read_sets(self, data: bytes) -> None:
        for kind, _, unit in _units(data):
            if kind == _SPS:
                self._read_set(unit)

    def _read_set(self, unit: bytes) -> None:
        try:
            self._bits, self._separate_planes = _number_bits(_Bits(unit[1:]))
        except IndexError:
            self._bits = 0  # Cut short; the decoder says so.

    def _take(self, idr: bool, reference: bool, unit: bytes) -> bool:
        if not self._bits:
            return False
        bits = _Bits(unit[1:_HEAD_BYTES])
        try:
            for _ in range(3):  # first_mb_in_slice, slice_type, pic_parameter_set_id
                bits.golomb()
            if self._separate_planes:
                bits.take(2)
            number = bits.take(self._bits)
        except IndexError:
            return False  # Cut short; the decoder says so.
        last, size = self._last, 1 << self._bits
        lost = not idr and last is not None and (number - last) % size > 1
        if reference:
            self._last = number
        elif lost:
            self._last = (number - 1) % size
        return lost


def _number_bits(bits: _Bits) -> tuple[int, bool]:
    """Bits of `frame_num`, 0 where numbers may be left out; and whether slices name a plane of colour."""
    profile, separate = bits.take(8), False
    bits.take(16)
    bits.golomb()
    if profile in _HIGH_PROFILES:
        if bits.golomb() == 3:
            separate = bool(bits.take(1))
        bits.golomb(), bits.golomb(), bits.take(1)
        if bits.take(1):
            return 0, separate  # Scaling matrices are not read, so numbers are not followed.
    number_bits = bits.golomb() + 4
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1), bits.golomb(), bits.golomb()
        for _ in range(bits.golomb()):
            bits.golomb()
    bits.golomb()
    gaps_allowed = bits.take(1)
    return (0 if gaps_allowed else number_bits), separate


class _Bits:
    """Reads bits of a NAL unit, without the bytes that prevent start codes."""

    def __init__(self, data: bytes) -> None:
        self._data = data.replace(b"\0\0\3", b"\0\0")
        self._at = 0

    def take(self, count: int) -> int:
        """So many bits as a number.

        Raises:
            IndexError: the data ends before.
        """
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> (7 - self._at % 8) & 1
            self._at += 1
        return value

    def golomb(self) -> int:
        """A number coded as ue(v), or the code number of an se(v) (9.1).

        Raises:
            IndexError: the data ends before.
        """
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def _units(data: bytes) -> Iterator[tuple[int, bool, bytes]]:
    """NAL units: their type, whether others refer to them, and the bytes from the head on."""
    begin = data.find(b"\0\0\1")
    while begin >= 0 and begin + 3 < len(data):
        begin += 3
        head = data[begin]
        if head & 31 in (_SLICE, _IDR):
            yield head & 31, head >> 5 & 3 > 0, data[begin : begin + _HEAD_BYTES]
            return
        end = data.find(b"\0\0\1", begin)
        yield head & 31, head >> 5 & 3 > 0, data[begin : end if end >= 0 else len(data)]
        begin = end
