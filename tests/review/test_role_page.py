"""The page on a real server and, if there is one, in a real browser."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from review.local_page import LocalPage
from review.role_page import role_page
from review.role_session import LabelSession
from vision.roles.model import HeldOut, RoleError
from zones.facility import Role

TRACKS = [f"t{n}" for n in range(6) for _ in range(3)]
GROUPS = [["t0", "t1", "t2"], ["t3", "t4"], ["t5"]]
FIGURES = HeldOut(
    folds=2,
    tracks=6,
    crops=18,
    crop_accuracy=0.9,
    calibration_error=0.05,
    unknown_from=0.7,
    tracks_unknown=0.25,
    track_accuracy=0.5,
    tracks_wrong=0.1,
)
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")


def image(number: int) -> bytes:
    pixels = np.full((240, 120, 3), 10 * number, np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


@dataclass
class Served:
    page: LocalPage
    saved: list[dict[int, Role]] = field(default_factory=list)
    refuse: str = ""

    def save(self, labels: dict[int, Role]) -> HeldOut:
        if self.refuse:
            raise RoleError(self.refuse)
        self.saved.append(labels)
        return FIGURES


@pytest.fixture
def served() -> Iterator[Served]:
    split = lambda tracks: [[tracks[0]], list(tracks[1:])] if len(tracks) > 1 else [list(tracks)]  # noqa: E731
    session = LabelSession(TRACKS, GROUPS, split)
    holder: list[Served] = []
    page = role_page(session, [image(n) for n in range(len(TRACKS))], lambda labels: holder[0].save(labels))
    holder.append(Served(page))
    thread = threading.Thread(target=page.run, daemon=True)
    thread.start()
    yield holder[0]
    page.stop()
    thread.join(60)
    assert not thread.is_alive()


def ask(
    page: LocalPage, path: str, body: object = None, method: str | None = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    host, port = page.origin.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    given = {"Origin": page.origin, "Content-Type": "application/json"} if body is not None else {}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    content = None if body is None else json.dumps(body)
    connection.request(method or ("POST" if body is not None else "GET"), path, content, given)
    response = connection.getresponse()
    result = response.status, response.read(), dict(response.getheaders())
    connection.close()
    return result


def test_the_page_is_served_only_under_its_random_path_and_its_own_host(served: Served) -> None:
    page = served.page
    path = f"/{page.token}/"
    assert ask(page, path)[0] == 200
    for other in ("/", "/state", f"/{page.token[:-1]}x/", f"/{page.token}/nothing", f"/{page.token}/crop/99"):
        assert ask(page, other)[0] == 404
    assert ask(page, f"/{page.token}/crop/../../etc/passwd")[0] == 404
    assert ask(page, path, Host="evil.example")[0] == 404
    assert page.origin.startswith("http://127.0.0.1:")


def test_nothing_is_cached_and_no_other_origin_is_allowed(served: Served) -> None:
    for part in ("", "roles.js", "state", "crop/0"):
        status, _, headers = ask(served.page, f"/{served.page.token}/{part}")
        assert status == 200
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Origin": "https://evil.example"}, {"group": 0, "role": "resident"}, 403),
        ({"Content_Type": "text/plain"}, {"group": 0, "role": "resident"}, 403),
        ({}, {"group": 0, "role": "resident" * 2000}, 413),
        ({}, {"group": 0, "role": "king"}, 400),
        ({}, {"role": "resident"}, 400),
        ({}, [1], 400),
    ],
)
def test_requests_of_other_pages_and_invalid_requests_change_nothing(
    served: Served, headers: dict[str, str], body: object, status: int
) -> None:
    path = f"/{served.page.token}/answer"
    assert ask(served.page, path, body, **headers)[0] == status
    state = json.loads(ask(served.page, f"/{served.page.token}/state")[1])
    assert not state["can_undo"] and not state["unsaved"]


def test_finishing_stops_the_server(served: Served) -> None:
    assert ask(served.page, f"/{served.page.token}/crop/0")[0] == 200
    assert ask(served.page, f"/{served.page.token}/finish", {})[0] == 200


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH")


@needs_browser
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_roles_are_labelled_with_the_keyboard(served: Served, lang: str) -> None:
    api = pytest.importorskip("playwright.sync_api")
    api.expect.set_options(timeout=60_000)  # ms; expectations return as soon as they hold
    complaints: list[str] = []
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(locale=lang, viewport={"width": 1200, "height": 800})
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("requestfailed", lambda request: complaints.append(request.url))
        foreign: list[str] = []
        tab.on("request", lambda r: foreign.append(r.url) if not r.url.startswith(served.page.url) else None)
        tab.goto(served.page.url)
        where = tab.locator("#where")
        api.expect(where).to_contain_text("1 trên 3" if lang == "vi" else "1 of 3")
        api.expect(tab.locator("h1")).to_have_text(
            "Trang phục của từng vai trò tại cơ sở này"
            if lang == "vi"
            else "What each role wears at this facility"
        )
        api.expect(tab.locator("#crops img")).to_have_count(9)
        for image in tab.locator("#crops img").all():
            api.expect(image).not_to_have_js_property("naturalWidth", 0)

        tab.keyboard.press("x")  # t0 | t1 t2
        api.expect(where).to_contain_text("1 trên 4" if lang == "vi" else "1 of 4")
        for key in "rpso":  # t0, t1 t2, t3 t4, t5
            tab.keyboard.press(key)
        tab.keyboard.press("u")  # t5 has no answer again
        api.expect(tab.locator('#keys [data-key="o"]')).to_have_attribute("aria-pressed", "false")
        tab.keyboard.press("o")
        tab.keyboard.press("ArrowLeft")
        api.expect(where).to_contain_text("3 trên 4" if lang == "vi" else "3 of 4")
        api.expect(tab.locator('#keys [data-key="s"]')).to_have_attribute("aria-pressed", "true")
        tab.keyboard.press("Enter")
        status = tab.locator("#status")
        api.expect(status).to_contain_text("Đã lưu" if lang == "vi" else "Saved")
        api.expect(status).to_contain_text("25")
        tab.keyboard.press("q")
        api.expect(status).to_contain_text("Đã kết thúc" if lang == "vi" else "Finished")
        browser.close()
    ppe, plain = Role.STAFF_PPE, Role.STAFF_NO_PPE
    wanted = [Role.RESIDENT, ppe, ppe, plain, plain, Role.OUTSIDER]
    assert served.saved == [{n: wanted[n // 3] for n in range(18)}]
    assert complaints == [] and foreign == []


@needs_browser
def test_a_failed_save_is_reported_and_unsaved_labels_need_a_second_key_to_discard(served: Served) -> None:
    api = pytest.importorskip("playwright.sync_api")
    api.expect.set_options(timeout=60_000)  # ms; expectations return as soon as they hold
    served.refuse = "expected labelled crops of at least 2 people as outsider, got 1"
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.goto(f"{served.page.url}?lang=en")
        tab.locator('#keys [data-key="o"]').click()
        tab.keyboard.press("Enter")
        api.expect(tab.locator("#status")).to_have_text(served.refuse)
        tab.keyboard.press("q")
        api.expect(tab.locator("#status")).to_contain_text("not saved")
        tab.keyboard.press("ArrowRight")
        api.expect(tab.locator("#where")).to_contain_text("of 3")
        browser.close()
    assert served.saved == []
