"""Finding a facility file by a path, by a version that the ledger keeps, or as the one in force."""

from __future__ import annotations

from pathlib import Path

from incidents.ledger import Ledger
from zones.errors import LazarettoError
from zones.facility import Facility, load_facility, parse_facility

IN_FORCE = "published"
"""Stands for the version in force, in place of a path."""


def choose_facility(name: str | None, ledger: Ledger | None) -> Facility:
    """Find a facility file.

    Args:
        name: a path, the first digits (six or more) of a version that the ledger keeps, or "published" or
            None for the version in force.
        ledger: the ledger of the home; None where there is none yet.

    Raises:
        LazarettoError: the file or version does not exist or cannot be read.
    """
    if name is not None and name != IN_FORCE:
        if ledger is not None and _is_version(name) and not Path(name).exists():
            return facility_of(ledger, ledger.facilities.resolve_version(name))
        return load_facility(name)
    published = [] if ledger is None else list(ledger.publications.find())
    facilities = {item.facility for item in published}
    if len(facilities) != 1:
        got = "none" if not facilities else f"those of {', '.join(sorted(facilities))}"
        raise LazarettoError(
            "expected a facility file, or one that is in force in this home (lazaretto zones publish), got "
            + got
        )
    assert ledger is not None
    return facility_of(ledger, published[-1].version)


def facility_of(ledger: Ledger, version: str) -> Facility:
    """The facility of a version (SHA-256) that the ledger keeps.

    Raises:
        LazarettoError: the ledger does not keep it.
    """
    return parse_facility(ledger.facilities.text(version), f"version {version[:12]}")


def _is_version(name: str) -> bool:
    return 6 <= len(name) <= 64 and not set(name) - set("0123456789abcdef")
