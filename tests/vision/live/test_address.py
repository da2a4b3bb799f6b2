"""Addresses of cameras: credentials come from the environment, and are shown nowhere."""

from __future__ import annotations

import pytest

from vision.live.address import AddressError, StreamKind, Transport, read_address

ENVIRONMENT = {"CAM_USER": "watch", "CAM_PASSWORD": "p@ss/w:rd#1", "TOKEN": "t0ken"}


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("rtsp://${CAM_USER}:${CAM_PASSWORD}@10.0.0.5:554/h264", StreamKind.RTSP, "rtsp://10.0.0.5:554/h264"),
        ("rtsps://nvr/1", StreamKind.RTSP, "rtsps://nvr/1"),
        ("http://cam/video.mjpg?token=${TOKEN}", StreamKind.HTTP, "http://cam/video.mjpg?token=${TOKEN}"),
        ("https://cam/live/index.m3u8", StreamKind.HLS, "https://cam/live/index.m3u8"),
        ("/dev/video0", StreamKind.USB, "/dev/video0"),
        ("footage/yard.mp4", StreamKind.FILE, "footage/yard.mp4"),
    ],
)
def test_what_an_address_names(text: str, kind: StreamKind, shown: str) -> None:
    address = read_address(text, ENVIRONMENT)
    assert (address.kind, address.shown) == (kind, shown)
    for secret in ("p@ss", "t0ken", "rd%231"):
        assert secret not in repr(address) and secret not in str(address)


def test_a_password_may_hold_any_character() -> None:
    address = read_address("rtsp://${CAM_USER}:${CAM_PASSWORD}@cam/1", ENVIRONMENT)
    assert address.url == "rtsp://watch:p%40ss%2Fw%3Ard%231@cam/1"


def test_udp_can_be_asked_for_in_the_address() -> None:
    address = read_address("rtsp+udp://cam/1", ENVIRONMENT)
    assert address.transport is Transport.UDP and address.url == "rtsp://cam/1"
    assert read_address("rtsp://cam/1", ENVIRONMENT).transport is Transport.TCP


def test_a_variable_that_is_not_set_is_named_without_showing_the_others() -> None:
    with pytest.raises(AddressError, match="expected the environment to set MISSING") as refused:
        read_address("rtsp://${CAM_USER}:${MISSING}@cam/1", ENVIRONMENT)
    assert "watch" not in str(refused.value)


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(AddressError, match="expected the address of a camera"):
        read_address("ftp://cam/1", ENVIRONMENT)
