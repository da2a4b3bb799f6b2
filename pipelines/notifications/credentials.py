"""Credentials in the URLs of targets: taken from the environment, and kept out of every text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from pipelines.notifications.configuration import ConfigurationError
from zones.credentials import redact

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

_SHORT = 4
"""Words of a URL that are shorter are no secrets: `rto`, `yes`, a port."""


@dataclass(frozen=True)
class Address:
    """The URL of a target with its credentials. Its text is never shown: `repr` names nothing.

    Attributes:
        url: complete.
        secrets: what was taken from the environment.
    """

    url: str
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        """Without the URL, which a traceback or a log line would show."""
        return "Address(...)"

    def clean(self, text: str) -> str:
        """A text without the credentials, such as the words of an error.

        Every form in which a URL writes them is replaced, and any other URL with credentials too.
        """
        forms = {form for secret in self.secrets for form in (secret, quote(secret, safe=""), quote(secret))}
        forms |= {quote_plus(secret) for secret in self.secrets} | {self.url}
        for form in sorted(filter(None, forms), key=len, reverse=True):
            text = text.replace(form, "<credentials>")
        return redact(text)


def address_of(target: str, url: str, environment: Mapping[str, str]) -> Address:
    """The URL of a target, with the values of its `${NAME}`.

    A value within a URL is quoted, so that it may hold any character; one that is the whole URL is not.

    Raises:
        ConfigurationError: a variable is not set.
    """
    names = _VARIABLE.findall(url)
    for name in names:
        if not environment.get(name):
            raise ConfigurationError(
                f"targets.{target}.url: expected the environment variable {name} to be set, got nothing"
            )
    secrets = tuple(environment[name] for name in names)
    if _VARIABLE.fullmatch(url):
        whole = environment[names[0]]
        return Address(whole, (whole, *_parts(whole)))
    return Address(_VARIABLE.sub(lambda match: quote(environment[match[1]], safe=""), url), secrets)


def _parts(url: str) -> tuple[str, ...]:
    """What in a URL may be a secret: all but its scheme, its host and short words."""
    scheme, _, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    words = re.split(r"[/?#&=:@]", rest)
    return tuple(word for word in words if len(word) >= _SHORT and word not in (scheme, *host.split(":")))
