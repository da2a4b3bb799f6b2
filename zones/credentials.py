"""Secrets in camera URLs: detection, so that they are refused, and redaction for messages and logs."""

from __future__ import annotations

import re

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+")
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
# Some recorders take the password in the path or query, as in `/user=x&password=y`.
_SECRET_PARAMETER = re.compile(r"(?i)(?:pass(?:word|wd)?|pwd|token|secret|api_?key)=(?!\$\{|&|$)[^&\s]+")
_BARE_LOGIN = re.compile(r"[^/\\\s@]+:[^/\\\s@]+@[^/\\\s]")


def has_credentials(url: str) -> bool:
    """Whether a URL contains a user, password or token in clear; `${NAME}` in its place does not count."""
    _, separator, rest = url.partition("://")
    if not separator:
        return _BARE_LOGIN.match(_VARIABLE.sub("", url)) is not None
    if _SECRET_PARAMETER.search(rest):
        return True
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    login, at, _ = authority.rpartition("@")
    if at:
        return _VARIABLE.sub("", login) not in ("", ":")
    # A password with an unescaped slash, question mark or hash ends the authority early.
    _, colon, port = _VARIABLE.sub("0", authority).rpartition(":")
    return bool(colon) and "@" in rest and not port.isdigit() and not port.endswith("]")


def mentions_credentials(text: str) -> bool:
    """Whether any URL within a text contains credentials in clear."""
    return any(has_credentials(match.group()) for match in _URL.finditer(text))


def redact(text: str) -> str:
    """The text with every URL that contains credentials replaced, for messages and logs."""
    text = _URL.sub(lambda m: "<URL with credentials>" if has_credentials(m.group()) else m.group(), text)
    return "<credentials>" if "://" not in text and has_credentials(text) else text
