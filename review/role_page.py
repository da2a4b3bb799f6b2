"""The page for labelling roles: a labelling session in a browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from review.local_page import LocalPage, Response, static_file
from review.role_session import LabelSession
from vision.roles.model import HeldOut
from zones.facility import Role


def role_page(
    session: LabelSession,
    images: Sequence[bytes],
    save: Callable[[dict[int, Role]], HeldOut],
    port: int = 0,
) -> LocalPage:
    """Create the page of a labelling session.

    Args:
        session: the labelling session.
        images: a JPEG of each crop, with hidden heads; deleted when the page is finished.
        save: trains and saves a model on the roles of crops (by index); returns its held-out figures.
        port: TCP port; 0 = any free port.
    """
    shown = list(images)
    saved: dict[int, Role] = {}

    def state() -> Response:
        return Response.json({**session.state(), "unsaved": session.labels() != saved})

    def answer(body: Any) -> Response:
        session.answer(body["group"], body["role"])
        return state()

    def split(body: Any) -> Response:
        session.split(body["group"])
        return state()

    def undo(_: object) -> Response:
        session.undo()
        return state()

    def save_labels(_: object) -> Response:
        nonlocal saved
        labels = session.labels()
        held_out = save(labels)
        saved = labels
        return Response.json(held_out.model_dump())

    def finish(_: object) -> Response:
        shown.clear()
        page.stop()
        return Response.json({})

    def crop(number: str) -> Response:
        return Response(shown[int(number)], "image/jpeg")

    def without_rest(make: Callable[[], Response]) -> Callable[[str], Response]:
        def get(rest: str) -> Response:
            if rest:
                raise KeyError(rest)
            return make()

        return get

    page = LocalPage(
        get={
            "": without_rest(lambda: static_file("roles.html")),
            "roles.css": without_rest(lambda: static_file("roles.css")),
            "roles.js": without_rest(lambda: static_file("roles.js")),
            "icon.svg": without_rest(lambda: static_file("icon.svg")),
            "state": without_rest(state),
            "crop": crop,
        },
        post={"answer": answer, "split": split, "undo": undo, "save": save_labels, "finish": finish},
        port=port,
    )
    return page
