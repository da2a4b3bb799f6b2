"""What people call facilities, cameras and zones, as the facility files in the ledger say."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass

from incidents.ledger import Ledger
from incidents.rule_record import RuleRecord
from zones.errors import LazarettoError
from zones.facility import Facility, parse_facility

VERSIONS = 8
"""Facility files that are kept in memory. Project default (docs/defaults.md)."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Names:
    """What people call the places of an incident; ids where the facility file has no names."""

    camera: str
    zone: str


class FacilityNames:
    """Reads names from facility files in the ledger, those used last from memory."""

    def __init__(self, ledger: Ledger) -> None:
        """Read an open ledger."""
        self._ledger = ledger
        self._facilities: OrderedDict[str, Facility | None] = OrderedDict()

    def of_record(self, record: RuleRecord) -> Names:
        """The names of the camera and the zone of an incident."""
        facility = self.facility(record.facility_version)
        cameras = {} if facility is None else {camera.id: camera for camera in facility.cameras}
        camera, zone = cameras.get(record.camera), record.zone or ""
        if camera is None:
            return Names(record.camera, zone)
        parts = {part.id: part.name for _, part in camera.parts()}
        return Names(camera.name or camera.id, parts.get(zone, "") or zone)

    def facility(self, version: str) -> Facility | None:
        """The facility of a version of its file; None = it cannot be read, which is logged."""
        if version not in self._facilities:
            try:
                self._facilities[version] = parse_facility(
                    self._ledger.facilities.text(version), version[:12]
                )
            except LazarettoError as error:
                logger.warning("names are not known, ids are told instead: %s", error)
                self._facilities[version] = None
            if len(self._facilities) > VERSIONS:
                self._facilities.popitem(last=False)
        return self._facilities[version]
