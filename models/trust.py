"""Weights that a user names by their file: the digest of the first use is kept, and another file is refused.

A .pt file is a pickle, and loading a pickle can run any program. Our own weights have a published digest. For
the file of a user, the program says so once, and once the file was loaded, it takes no other there until the
user accepts another one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path

from models.cache import cache_folder
from models.errors import ModelError

_logger = logging.getLogger(__name__)
_warned: set[tuple[Path, str]] = set()
"""Files of whose first use this process has warned."""


def check(path: Path, sha256: str) -> None:
    """Compare the digest of a file with that of its first use; warn where this is the first one.

    Args:
        path: of weights that are not ours.
        sha256: of the file, hexadecimal.

    Raises:
        ModelError: another file was used under this path before.
    """
    known = _known(path)
    if known is None:
        if (path, sha256) not in _warned:
            _warned.add((path, sha256))
            _logger.warning(
                f"{path} is used for the first time: a .pt file can run any program when it is loaded, so "
                "use only files that you trust; once it was loaded, only this one, SHA-256 "
                f"{sha256[:12]}..., is taken there"
            )
    elif known != sha256:
        raise ModelError(
            f"the weights {path} are not those used before: expected SHA-256 {known[:12]}..., got "
            f"{sha256[:12]}...; a .pt file can run any program, so accept this one only if you trust it: "
            f"`lazaretto models trust {path}`"
        )


def loaded(path: Path, sha256: str) -> None:
    """Keep the digest of a file that was loaded for the first time; a warning where it cannot be kept."""
    try:
        if _known(path) is None:
            trust(path, sha256)
    except ModelError as error:
        _logger.warning(f"{error}; another file there will not be noticed")


def trust(path: Path, sha256: str) -> None:
    """Accept a file as the one to use under its path from now on.

    Raises:
        ModelError: its digest cannot be kept.
    """
    file = _file(path)
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps({"path": str(path.resolve()), "sha256": sha256}) + "\n", "utf-8")
        temporary.replace(file)  # whole or not at all, however many processes do it
    except OSError as error:
        raise ModelError(f"cannot keep the SHA-256 of {path} in {file.parent}: {error}") from error


def _known(path: Path) -> str | None:
    """The digest that is kept for a path; None where there is none.

    Raises:
        ModelError: it cannot be read.
    """
    file = _file(path)
    try:
        return str(json.loads(file.read_text("utf-8"))["sha256"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"expected the SHA-256 of {path} in {file}, it cannot be read ({error}): remove that file, and "
            "that of the weights counts as not used before"
        ) from error


def _file(path: Path) -> Path:
    name = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return cache_folder() / "trusted" / f"{name}.json"
