"""Why a stream is not there: errors of FFmpeg and of the system, in classes that decide what is done next."""

from __future__ import annotations

import errno
from enum import StrEnum

import av

from vision.sources.opening import error_text
from vision.sources.timeline import SourceError


class Cause(StrEnum):
    """The class of a fault of a stream."""

    UNREACHABLE = "unreachable"
    """No route, no such name, the network is down."""
    REFUSED = "refused"
    """The machine is there and refuses the connection, or answers with an error."""
    AUTHENTICATION = "authentication"
    TOO_MANY_SESSIONS = "too many sessions"
    NOT_FOUND = "not found"
    CODEC = "codec"
    """The stream comes, and cannot be decoded."""
    TIMEOUT = "timeout"
    ENDED = "ended"
    """The camera closed the stream."""
    READER = "reader"
    """The process that reads the camera ended or hung, and was replaced."""
    OTHER = "other"


LOGIN = frozenset({Cause.AUTHENTICATION, Cause.TOO_MANY_SESSIONS})
"""Causes for which a camera that can be reached refuses a session."""
SENTENCES = {
    Cause.UNREACHABLE: "the camera cannot be reached",
    Cause.REFUSED: "the camera refuses the connection",
    Cause.AUTHENTICATION: "the camera refuses the login",
    Cause.TOO_MANY_SESSIONS: "the camera has too many sessions",
    Cause.NOT_FOUND: "the camera knows no such stream",
    Cause.CODEC: "the stream cannot be decoded",
    Cause.TIMEOUT: "no data in time",
    Cause.ENDED: "the stream ended",
    Cause.READER: "the reader of the camera was replaced",
    Cause.OTHER: "the stream failed",
}
"""What each cause says to people."""
_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL}
_BROKEN = {errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.EIO}
_SESSIONS = (453, 503)
"""RTSP statuses of a server that has no room: 453 Not Enough Bandwidth, 503 Service Unavailable
(RFC 7826, 17.4)."""


class StreamFault(SourceError):
    """A stream that cannot be opened or broke; its text is the cause for people, without an address.

    Attributes:
        cause: the class of the fault.
        locks_out: trying again soon may lock the login out.
    """

    def __init__(self, cause: Cause, detail: str = "", locks_out: bool = False) -> None:
        """Say the cause in the words of `SENTENCES`, with a detail in brackets."""
        self.cause, self.locks_out = cause, locks_out
        super().__init__(SENTENCES[cause] + (f" ({detail})" if detail else ""))


def fault_of(
    error: BaseException,
    accepted_before: bool,
    log: str = "",
    timed_out: bool = False,
    connecting: bool = False,
) -> StreamFault:
    """Class an error of opening or reading a stream.

    Args:
        error: what FFmpeg or the system raised.
        accepted_before: the camera has accepted this login before: then a refused login means that it has
            too many sessions, as some recorders answer so.
        log: what FFmpeg logged meanwhile, without an address; statuses of RTSP stand in it alone.
        timed_out: the call that failed took as long as it may: then FFmpeg's error, if it says no more than
            that something failed, is what an interrupted call left.
        connecting: RTSP was being spoken: then FFmpeg calls an answer that breaks off invalid data, too.
    """
    if isinstance(error, StreamFault):
        return error
    if isinstance(error, SourceError):
        return StreamFault(Cause.OTHER, str(error))
    if isinstance(error, (av.HTTPUnauthorizedError, av.HTTPForbiddenError)):
        if accepted_before:
            return StreamFault(Cause.TOO_MANY_SESSIONS, "it refuses a login that it accepted before", True)
        return StreamFault(Cause.AUTHENTICATION, error_text(error), True)
    for status in _SESSIONS:
        if f" {status} " in f" {log} ":
            return StreamFault(Cause.TOO_MANY_SESSIONS, f"status {status}")
    if isinstance(error, av.HTTPNotFoundError):
        return StreamFault(Cause.NOT_FOUND, error_text(error))
    if isinstance(error, (av.ExitError, TimeoutError)):
        return StreamFault(Cause.TIMEOUT)
    if isinstance(error, (av.HTTPClientError, av.HTTPServerError)):
        return StreamFault(Cause.REFUSED, error_text(error))
    number = getattr(error, "errno", None)
    if isinstance(error, ConnectionRefusedError):
        return StreamFault(Cause.REFUSED)
    if number in _UNREACHABLE or "resolve" in log:
        return StreamFault(Cause.UNREACHABLE, error_text(error) if isinstance(error, Exception) else "")
    if timed_out:
        return StreamFault(Cause.TIMEOUT)
    if connecting and isinstance(error, av.InvalidDataError):
        return StreamFault(Cause.REFUSED, "it hangs up, or does not speak RTSP")
    if isinstance(error, (av.DecoderNotFoundError, av.InvalidDataError)):
        return StreamFault(Cause.CODEC, error_text(error))
    if number in _BROKEN:
        return StreamFault(Cause.ENDED, "the connection broke")
    if isinstance(error, av.EOFError):
        return StreamFault(Cause.ENDED)
    return StreamFault(Cause.OTHER, error_text(error) if isinstance(error, Exception) else "")
