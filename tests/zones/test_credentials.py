"""Credentials in URLs are found where people really write them, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from zones.credentials import has_credentials, mentions_credentials, redact

SECRET = [
    "rtsp://admin:hunter2@10.0.0.5:554/main",
    "rtsp://admin@10.0.0.5/main",
    "rtsp://${CAM_USER}:hunter2@10.0.0.5/main",
    "rtsp://admin:hunter/2@10.0.0.5/main",
    "rtsp://admin:hunter?2@10.0.0.5/main",
    "rtsp://admin:p@ss@10.0.0.5/main",
    "RTSP://admin:hunter2@[::1]:554/main",
    "http://10.0.0.5/stream?user=a&pwd=hunter2",
    "http://10.0.0.5/stream?token=abc",
    "rtsp://10.0.0.5:554/user=admin&password=hunter2&channel=1",
    "admin:hunter2@10.0.0.5/main",
]
CLEAN = [
    "rtsp://10.0.0.5/main",
    "rtsp://10.0.0.5:554/main@2x",
    "rtsp://[fe80::1]:554/a@b",
    "rtsp://${CAM_USER}:${CAM_PASSWORD}@10.0.0.5/main",
    "rtsp://${LOGIN}@10.0.0.5/main",
    "rtsp://${HOST}:${PORT}/a@b",
    "http://10.0.0.5/stream?user=a&pwd=${PASSWORD}",
    "http://10.0.0.5/stream?password=&x=1",
    "clips/yard@noon.mp4",
    "C:\\clips\\yard@noon.mp4",
    "/srv/clips/a:b@c.mp4",
    "file:///srv/clips/a.mp4",
    "0",
]


@pytest.mark.parametrize("url", SECRET)
def test_credentials_are_found(url: str) -> None:
    assert has_credentials(url)
    assert "hunter2" not in redact(f"cannot open {url}" if "://" in url else url)


@pytest.mark.parametrize("url", CLEAN)
def test_other_sources_have_none(url: str) -> None:
    assert not has_credentials(url)
    assert not mentions_credentials(url)
    assert redact(url) == url


def test_within_a_text_only_the_url_is_hidden() -> None:
    text = "source: rtsp://admin:hunter2@10.0.0.5/main  # write to admin@example.org: or call 1:2@3"
    assert mentions_credentials(text)
    assert redact(text) == "source: <URL with credentials>  # write to admin@example.org: or call 1:2@3"
    assert not mentions_credentials("contact: admin@example.org, note a:b@c")
