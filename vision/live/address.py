"""Addresses of live cameras: what kind of stream they name, with credentials from the environment only."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote, urlsplit

from zones.credentials import redact
from zones.errors import LazarettoError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class AddressError(LazarettoError):
    """An address that names no live stream, or a variable that is not set."""


class StreamKind(StrEnum):
    """How a stream is transported."""

    RTSP = "rtsp"
    HTTP = "http"
    """HTTP with one picture after the other (MJPEG), or any container that needs no index."""
    HLS = "hls"
    USB = "usb"
    FILE = "file"
    """A recorded file, played at its own pace: for rehearsals."""

    @property
    def has_timeout(self) -> bool:
        """Whether reads end when nothing comes in time."""
        return self is not StreamKind.FILE

    @property
    def comes_at_once(self) -> bool:
        """Whether many pictures come at once, to be given at their own pace: files, and pieces of HLS."""
        return self in (StreamKind.FILE, StreamKind.HLS)


class Transport(StrEnum):
    """What carries RTP."""

    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """Where a stream is.

    Attributes:
        shown: the address for people and logs, without credentials.
        kind: how it is transported.
        url: what is opened; it may hold a password, so it is no part of the text of this object.
        transport: what carries RTP, of an RTSP stream.
    """

    shown: str
    kind: StreamKind
    url: str = field(repr=False)
    transport: Transport = Transport.TCP


def read_address(
    text: str, environment: Mapping[str, str] | None = None, transport: Transport = Transport.TCP
) -> StreamAddress:
    """Read the address of a stream, with `${NAME}` replaced by variables of the environment.

    In the login of a URL, the values are escaped, so that a password may hold any character.

    Args:
        text: as in a facility file: rtsp://, rtsps://, http://, https://, file:, /dev/video0, or a path.
        environment: the variables; None = those of this process.
        transport: what carries RTP; `rtsp+udp://` in the text says UDP too.

    Raises:
        AddressError: a variable is not set, or the scheme is none of these.
    """
    values = os.environ if environment is None else environment
    if text.startswith("rtsp+udp://"):
        text, transport = "rtsp://" + text.removeprefix("rtsp+udp://"), Transport.UDP
    if missing := sorted({name for name in _VARIABLE.findall(text) if not values.get(name)}):
        raise AddressError(
            f"expected the environment to set {', '.join(missing)}, which the address {shown_address(text)} "
            "names, got none"
        )
    scheme, separator, rest = text.partition("://")
    if not separator:
        path = _VARIABLE.sub(lambda match: values[match[1]], text.removeprefix("file:"))
        usb = re.fullmatch(r"/dev/video\d+", path) is not None
        return StreamAddress(redact(path), StreamKind.USB if usb else StreamKind.FILE, path)
    login, at, place = _login_of(rest)
    url = (
        f"{scheme}://{_VARIABLE.sub(lambda match: quote(values[match[1]], safe=''), login)}{at}"
        f"{_VARIABLE.sub(lambda match: values[match[1]], place)}"
    )
    return StreamAddress(shown_address(text), _kind_of(scheme, place, text), url, transport)


def shown_address(text: str) -> str:
    """An address without its login, and with what comes from the environment as the names of variables."""
    scheme, separator, rest = text.partition("://")
    return redact(f"{scheme}://{_login_of(rest)[2]}" if separator else text)


def _login_of(rest: str) -> tuple[str, str, str]:
    """The login, "@" if there is one, and the rest of what follows a scheme."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    login, at, _ = authority.rpartition("@")
    return login, at, rest[len(login) + len(at) :]


def _kind_of(scheme: str, place: str, text: str) -> StreamKind:
    if scheme in ("rtsp", "rtsps"):
        return StreamKind.RTSP
    if scheme in ("http", "https"):
        path = urlsplit(f"//{place}").path
        return StreamKind.HLS if Path(path).suffix.lower() in (".m3u8", ".m3u") else StreamKind.HTTP
    if scheme == "file":
        return StreamKind.FILE
    raise AddressError(
        f"expected the address of a camera (rtsp, rtsps, http, https, a file or /dev/video0), got "
        f"{shown_address(text)}"
    )
