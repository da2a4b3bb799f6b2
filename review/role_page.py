"""The page on which roles are taught: a labelling session put before a person's browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from review.local_page import Answer, LocalPage, static
from review.role_session import LabelSession
from vision.roles.model import HeldOut
from zones.facility import Role


def role_page(
    session: LabelSession,
    pictures: Sequence[bytes],
    save: Callable[[dict[int, Role]], HeldOut],
    port: int = 0,
) -> LocalPage:
    """A page for a session.

    Args:
        session: what is asked and answered.
        pictures: a JPEG of each crop, faces hidden; forgotten when the page is finished.
        save: trains on the roles of crops (by their numbers) and keeps the result.
        port: TCP port; 0 = any free one.
    """
    shown = list(pictures)
    saved: dict[int, Role] = {}

    def state() -> Answer:
        return Answer.of({**session.state(), "unsaved": session.labels() != saved})

    def answer(body: Any) -> Answer:
        session.answer(body["group"], body["role"])
        return state()

    def split(body: Any) -> Answer:
        session.divide(body["group"])
        return state()

    def undo(_: Any) -> Answer:
        session.undo()
        return state()

    def keep(_: Any) -> Answer:
        nonlocal saved
        labels = session.labels()
        held_out = save(labels)
        saved = labels
        return Answer.of(held_out.model_dump())

    def finish(_: Any) -> Answer:
        shown.clear()
        page.stop()
        return Answer.of({})

    def crop(number: str) -> Answer:
        return Answer(shown[int(number)], "image/jpeg")

    def exactly(make: Callable[[], Answer]) -> Callable[[str], Answer]:
        def get(rest: str) -> Answer:
            if rest:
                raise KeyError(rest)
            return make()

        return get

    page = LocalPage(
        get={
            "": exactly(lambda: static("roles.html")),
            "roles.css": exactly(lambda: static("roles.css")),
            "roles.js": exactly(lambda: static("roles.js")),
            "icon.svg": exactly(lambda: static("icon.svg")),
            "state": exactly(state),
            "crop": crop,
        },
        post={"answer": answer, "split": split, "undo": undo, "save": keep, "finish": finish},
        port=port,
    )
    return page
