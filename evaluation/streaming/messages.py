"""RTSP messages (RFC 2326), and what a camera says of itself in SDP (RFC 8866)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from evaluation.streaming.clips import Clip
from evaluation.streaming.packetising import CLOCK_HZ

PAYLOAD_TYPE = 96
"""Of the video in RTP; dynamic."""
REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
    503: "Service Unavailable",
}
"""What a status means."""


@dataclass(frozen=True)
class Request:
    """A request; the names of headers are in small letters."""

    method: str
    url: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        """The path of the URL, with its query, without a slash at the end."""
        rest = self.url.partition("://")[2]
        return "/" + rest.partition("/")[2].rstrip("/")


def parse_request(head: bytes) -> Request:
    """Read the head of a request.

    Raises:
        ValueError: it is none.
    """
    first, *lines = head.decode("utf-8", "replace").strip("\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("RTSP/"):
        raise ValueError(
            f"expected a request such as 'OPTIONS rtsp://host/path RTSP/1.0', got {first[:200]!r}"
        )
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Request(words[0], words[1], headers)


def response(status: int, request: Request, headers: Mapping[str, str], body: str = "") -> bytes:
    """The bytes of an answer."""
    lines = [f"RTSP/1.0 {status} {REASONS[status]}", f"CSeq: {request.headers.get('cseq', '0')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body.encode())}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def description(clip: Clip, sets: bool) -> str:
    """SDP of one video; `sets` says whether it names the parameter sets."""
    if clip.codec == "h264":
        format_ = ["packetization-mode=1", f"profile-level-id={clip.sets[0][1:4].hex()}"]
        if sets:
            format_.append("sprop-parameter-sets=" + ",".join(map(_base64, clip.sets)))
    else:
        names = ("sprop-vps", "sprop-sps", "sprop-pps")
        format_ = [f"{name}={_base64(unit)}" for name, unit in zip(names, clip.sets, strict=True) if sets]
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 0.0.0.0",
        "s=Lazaretto test camera",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        f"a=rtpmap:{PAYLOAD_TYPE} {'H264' if clip.codec == 'h264' else 'H265'}/{CLOCK_HZ}",
        *([f"a=fmtp:{PAYLOAD_TYPE} " + "; ".join(format_)] if format_ else []),
        "a=control:trackID=0",
    ]
    return "\r\n".join(lines) + "\r\n"


def _base64(unit: bytes) -> str:
    return base64.b64encode(unit).decode()
