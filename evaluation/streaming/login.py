"""Logins of cameras: Basic (RFC 7617) and Digest (RFC 7616)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Literal

_REALM = "Lazaretto test camera"
_PAIR = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')


@dataclass(frozen=True)
class Login:
    """A user, a password, and how they are asked for."""

    user: str
    password: str
    scheme: Literal["basic", "digest", "digest-sha256"] = "digest"
    nonce: str = field(default_factory=lambda: secrets.token_hex(16))

    def challenge(self) -> str:
        """The header WWW-Authenticate."""
        if self.scheme == "basic":
            return f'Basic realm="{_REALM}"'
        algorithm = "SHA-256" if self.scheme == "digest-sha256" else "MD5"
        return f'Digest realm="{_REALM}", nonce="{self.nonce}", algorithm={algorithm}'

    def accepts(self, authorization: str, method: str) -> bool:
        """Whether the header Authorization of a request with this method proves the password."""
        scheme, _, rest = authorization.partition(" ")
        if self.scheme == "basic":
            return scheme.lower() == "basic" and self._basic(rest.strip())
        if scheme.lower() != "digest":
            return False
        given = {name.lower(): quoted or bare for name, quoted, bare in _PAIR.findall(rest)}
        made = self._hash(f"{self.user}:{_REALM}:{self.password}")
        asked = self._hash(f"{method}:{given.get('uri', '')}")
        # A client that was offered no `qop` leaves `nc` and `cnonce` out.
        middle = [given[name] for name in ("nc", "cnonce", "qop") if "qop" in given and name in given]
        expected = self._hash(":".join([made, self.nonce, *middle, asked]))
        return (
            given.get("username") == self.user
            and given.get("nonce") == self.nonce
            and hmac.compare_digest(given.get("response", "").encode(), expected.encode())
        )

    def _basic(self, encoded: str) -> bool:
        try:
            decoded = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            return False
        return hmac.compare_digest(decoded, f"{self.user}:{self.password}".encode())

    def _hash(self, text: str) -> str:
        return (hashlib.sha256 if self.scheme == "digest-sha256" else hashlib.md5)(text.encode()).hexdigest()
