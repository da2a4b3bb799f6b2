"""Messages through apprise: mail, webhooks, chats."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pipelines.notifications.configuration import ConfigurationError
from pipelines.notifications.credentials import Address
from pipelines.notifications.messages import Draft
from pipelines.notifications.sending import SEND_S, SendError

if TYPE_CHECKING:
    from apprise import Apprise

_TYPES = {"critical": "failure", "high": "failure", "medium": "warning", "low": "info"}
"""What apprise calls a message of a severity; chats colour it."""


class AppriseChannel:
    """Sends through apprise. Nothing but the target is reached: no pictures, no redirects, no files."""

    def __init__(self, target: str, address: Address) -> None:
        """Check the URL.

        Raises:
            ConfigurationError: apprise does not know such a URL, or it has credentials in clear.
        """
        self._address = address
        self._apprise = _apprise_for(target, address)

    def send(self, draft: Draft) -> None:
        """Send a message; see `Channel`."""
        # The type is given by its name: apprise is imported only where a target needs it.
        result = self._apprise.notify(
            title=draft.title,
            body=draft.body,
            body_format="text",
            notify_type=_TYPES[draft.severity],
            timeout=SEND_S,
        )
        if not result:
            said = "; ".join(dict.fromkeys(str(entry.message) for entry in result.logs()))
            raise SendError(self._address.clean(said or f"it was not taken ({result.status.name.lower()})"))

    def close(self) -> None:
        """Nothing is held between two messages."""


def _apprise_for(target: str, address: Address) -> Apprise:
    from apprise import Apprise, AppriseAsset, PersistentStoreMode

    # Reasons come with the result of a message; what is logged beside it names URLs with their credentials.
    for name in ("apprise", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("apprise").propagate = False
    asset = AppriseAsset(
        app_id="Lazaretto",
        app_desc="Lazaretto",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        http_redirects=False,
        pgp_autogen=False,
        pem_autogen=False,
        storage_mode=PersistentStoreMode.MEMORY,
        allow_templates=False,
        language="en",
    )
    sender = Apprise(asset=asset)
    if not sender.add(address.url):
        raise ConfigurationError(
            f"targets.{target}.url: expected a URL of apprise, such as mailtos://, jsons:// or tgram://, "
            "with all its parts, got another (once its variables are in it)"
        )
    # What apprise hides in a URL are credentials, wherever its service wants them: in the host, in the path.
    urls = [(one.url(), one.url(privacy=True)) for one in sender]  # type: ignore[no-untyped-call]
    if not address.secrets and any(whole != hidden for whole, hidden in urls):
        raise ConfigurationError(
            f"targets.{target}.url: expected no user, password or token in clear, got a URL with one; write "
            "${NAME}, and set the variable NAME in the environment"
        )
    return sender
