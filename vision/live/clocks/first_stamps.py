"""The timestamps of the first packets of a connection, some of which FFmpeg does not know.

It gives the first picture of an RTP stream without any, because the stamp from which the server counts comes
with the second one, and pictures that are reordered without a decoding time until it has seen enough of
them. They follow from those after them, at the usual step between pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from av.packet import Packet
from av.video.stream import VideoStream


def first_stamps(packets: Sequence[Packet[VideoStream]]) -> list[int] | None:
    """The decoding times of the first packets of a connection, in units of the stream.

    Packets without the time of their picture are given one.

    Returns:
        None where no packet has any.
    """
    shown = sorted({packet.pts for packet in packets if packet.pts is not None})
    decoded = [packet.dts for packet in packets]
    if not shown:
        return None
    if all(stamp is None for stamp in decoded):
        decoded = [packet.pts for packet in packets]
    steps = sorted(later - earlier for earlier, later in pairwise(shown))
    step = steps[len(steps) // 2] if steps else 1
    stamps: list[int] = []
    following = next((stamp for stamp in reversed(decoded) if stamp is not None), shown[-1]) + step
    for stamp in reversed(decoded):
        following = following - step if stamp is None else stamp
        stamps.append(following)
    stamps.reverse()
    earliest = shown[0]
    for packet in packets:
        if packet.pts is None:
            earliest = packet.pts = earliest - step
    return stamps
