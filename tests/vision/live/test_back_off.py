"""When a camera is tried again."""

from __future__ import annotations

import errno

import av
import pytest

from vision.live.back_off import LiveBackOff
from vision.live.causes import Cause, StreamFault, fault_of


def test_waits_grow_to_a_minute_and_stay_there() -> None:
    wait = LiveBackOff(lambda: 0.0)
    assert [wait(n, None, 0) for n in range(1, 10)] == [1, 2, 5, 10, 20, 40, 60, 60, 60]


def test_what_an_attempt_took_is_no_further_wait() -> None:
    assert LiveBackOff(lambda: 0.0)(7, None, 20) == 40
    assert LiveBackOff(lambda: 0.0)(1, None, 20) == 1, "an instant refusal is no tight loop"


def test_cameras_behind_one_switch_do_not_come_back_at_one_moment() -> None:
    waits = {LiveBackOff()(7, None, 0) for _ in range(50)}
    assert len(waits) > 40 and min(waits) >= 45 and max(waits) <= 60


@pytest.mark.parametrize("cause", [Cause.AUTHENTICATION, Cause.TOO_MANY_SESSIONS])
def test_a_refused_login_has_a_long_wait_of_its_own(cause: Cause) -> None:
    wait = LiveBackOff(lambda: 0.0)
    refused = StreamFault(cause, locks_out=True)
    assert [wait(n, refused, 0) for n in (1, 2, 3, 4, 9)] == [60, 300, 900, 1800, 1800]


def test_a_login_refused_once_after_a_long_outage_is_the_first_refusal() -> None:
    wait = LiveBackOff(lambda: 0.0)
    refused = StreamFault(Cause.AUTHENTICATION, locks_out=True)
    assert [wait(n, None, 0) for n in (8, 9)] == [60, 60]
    assert [wait(n, refused, 0) for n in (10, 11)] == [60, 300]
    assert wait(1, refused, 0) == 60, "a steady connection was between"


def test_a_camera_without_room_is_tried_again_soon_unless_it_refused_the_login() -> None:
    wait = LiveBackOff(lambda: 0.0)
    full = fault_of(av.HTTPServerError(0, "5xx"), True, "method SETUP failed: 503 Service Unavailable")
    refused = fault_of(av.HTTPUnauthorizedError(0, "401 Unauthorized"), True)
    assert full.cause is refused.cause is Cause.TOO_MANY_SESSIONS
    assert [wait(n, full, 0) for n in (1, 2, 3, 9)] == [1, 2, 5, 60]
    assert wait(1, refused, 0) == 60


@pytest.mark.parametrize(
    ("error", "accepted", "log", "cause"),
    [
        (av.HTTPUnauthorizedError(0, "401 Unauthorized"), False, "", Cause.AUTHENTICATION),
        (av.HTTPUnauthorizedError(0, "401 Unauthorized"), True, "", Cause.TOO_MANY_SESSIONS),
        (
            av.HTTPOtherClientError(0, "4xx"),
            False,
            "method SETUP failed: 453 Not Enough",
            Cause.TOO_MANY_SESSIONS,
        ),
        (av.HTTPNotFoundError(0, "404"), False, "", Cause.NOT_FOUND),
        (av.ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), False, "", Cause.REFUSED),
        (OSError(errno.EHOSTUNREACH, "No route to host"), False, "", Cause.UNREACHABLE),
        (OSError(errno.EIO, "Input/output error"), False, "Failed to resolve hostname", Cause.UNREACHABLE),
        (av.ExitError(0, "Immediate exit requested"), False, "", Cause.TIMEOUT),
        (av.InvalidDataError(0, "Invalid data"), False, "", Cause.CODEC),
        (OSError(errno.ECONNRESET, "Connection reset"), False, "", Cause.ENDED),
    ],
)
def test_errors_are_classed(error: Exception, accepted: bool, log: str, cause: Cause) -> None:
    assert fault_of(error, accepted, log).cause is cause
