"""What an MQTT broker retains of a home: a device per facility, as Home Assistant discovers it.

`watched` is on while every camera of the facility is watched; cameras under announced maintenance do not
count. What the ledger does not say up to `FRESH_S` ago is not known, and so not watched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from incidents.coverage import WATCHED, State
from incidents.ledger import Ledger
from incidents.ledger.facilities import CameraEntry
from incidents.local_time import local_iso
from incidents.record import Incident
from incidents.rule_record import KINDS
from incidents.rules.health import KIND as HEALTH
from pipelines.notifications.configuration import Target
from pipelines.notifications.mqtt_channel import MqttChannel
from pipelines.notifications.names import FacilityNames
from pipelines.notifications.store import Store
from vision.clock import Clock
from vision.frames import SECOND

FRESH_S = 90.0
"""Age of the newest coverage of a camera up to which its state is known, s.
Project default (docs/defaults.md)."""
REPEAT_S = 60.0
"""Seconds after which states are sent again though nothing changed, so that a reader can tell old from true.
Project default (docs/defaults.md)."""
EXPIRE_S = 180
"""Seconds after which Home Assistant takes a state that was not repeated for unknown.
Project default (docs/defaults.md)."""
UNKNOWN = "unknown"
_STATES = [*State, UNKNOWN]
_VIOLATIONS = [kind for kind in KINDS if kind != HEALTH]


@dataclass(frozen=True)
class _Site:
    """A facility with what is known of it now."""

    code: str
    name: str
    timezone: str
    cameras: Sequence[CameraEntry]
    states: Mapping[str, str]
    undecided: int
    last: Incident | None

    @property
    def watched(self) -> bool:
        """Whether every camera that is not under maintenance is watched; at least one must be."""
        counted = [state for state in self.states.values() if state != State.PLANNED]
        return bool(counted) and all(state in WATCHED for state in counted)


class Mirror:
    """Keeps what a broker retains as the ledger says; used by one thread."""

    def __init__(
        self, name: str, target: Target, channel: MqttChannel, ledger: Ledger, store: Store, clock: Clock
    ) -> None:
        """Begin with nothing sent; `ledger` and `store` are of the thread that uses this."""
        self._name, self._target, self._channel = name, target, channel
        self._ledger, self._store, self._clock = ledger, store, clock
        self._names = FacilityNames(ledger)
        self._sent: dict[str, str] = {}
        self._connection, self._repeated = 0, 0

    def step(self) -> None:
        """Send what changed since the last step, all of it after a connection was made.

        Raises:
            SendError: the broker is not there.
            LazarettoError: the ledger or the queue cannot be used.
        """
        now = self._clock.now()
        if self._channel.connections != self._connection or now - self._repeated >= REPEAT_S * SECOND:
            self._sent, self._repeated = {}, now
        self._connection = self._channel.connections
        sites = tuple(self._sites(now))
        wanted = {topic: text for site in sites for topic, text in self._topics(site)}
        for topic, text in wanted.items():
            if self._sent.get(topic) != text:
                self._store.retain(self._name, topic, kept=True)
                self._channel.publish(topic, text, retain=True)
                self._sent[topic] = text
        for topic in self._store.retained(self._name) - wanted.keys():
            # An empty payload removes what is retained: a camera that is gone is no camera that is offline.
            self._channel.publish(topic, "", retain=True)
            self._store.retain(self._name, topic, kept=False)
        self._connection = self._connection or self._channel.connections

    def _sites(self, now: int) -> Iterator[_Site]:
        by_code: dict[str, list[CameraEntry]] = {}
        for camera in self._ledger.facilities.cameras():
            if self._target.facilities is None or camera.facility in self._target.facilities:
                by_code.setdefault(camera.facility, []).append(camera)
        for code, cameras in by_code.items():
            facility = self._names.facility(cameras[0].facility_version)
            last = self._ledger.incidents.find(
                cameras=[camera.id for camera in cameras], kinds=_VIOLATIONS, limit=1, newest_first=True
            )
            yield _Site(
                code=code,
                name=code if facility is None else facility.name,
                timezone=self._ledger.facilities.timezone(code),
                cameras=cameras,
                states={camera.id: self._state(camera.id, now) for camera in cameras},
                undecided=self._ledger.incidents.undecided(code),
                last=last[0] if last else None,
            )

    def _state(self, camera: str, now: int) -> str:
        recorded = self._ledger.coverage.recorded(camera, now - round(FRESH_S * SECOND), now)
        return str(recorded[-1].state) if recorded else UNKNOWN

    def _topics(self, site: _Site) -> Iterator[tuple[str, str]]:
        """Topics and payloads of a facility: first what Home Assistant is to discover, then the states."""
        base = f"{self._channel.topic}/{site.code}"
        if self._channel.discovery:
            yield from self._discovery(site, base)
        yield f"{base}/watched", "ON" if site.watched else "OFF"
        yield f"{base}/open_incidents", str(site.undecided)
        for camera in site.cameras:
            yield f"{base}/cameras/{camera.id}", site.states[camera.id]
        if site.last is not None:
            one = site.last
            yield f"{base}/last_incident", local_iso(one.start, site.timezone)
            yield (
                f"{base}/last_incident/attributes",
                _text(
                    {
                        "incident": one.id,
                        "camera": one.camera,
                        "zone": one.zone,
                        "kind": one.kind,
                        "subkind": one.subkind,
                        "severity": one.severity,
                        "status": str(one.status),
                    }
                ),
            )

    def _discovery(self, site: _Site, base: str) -> Iterator[tuple[str, str]]:
        expires = {"expire_after": EXPIRE_S}
        yield self._entity(
            site,
            "binary_sensor",
            "watched",
            {"name": "Watched", "state_topic": f"{base}/watched", "device_class": "running", **expires},
        )
        yield self._entity(
            site,
            "sensor",
            "open_incidents",
            {"name": "Open incidents", "state_topic": f"{base}/open_incidents", "icon": "mdi:alert"},
        )
        yield self._entity(
            site,
            "sensor",
            "last_incident",
            {
                "name": "Last incident",
                "state_topic": f"{base}/last_incident",
                "device_class": "timestamp",
                "json_attributes_topic": f"{base}/last_incident/attributes",
            },
        )
        for camera in site.cameras:
            yield self._entity(
                site,
                "sensor",
                f"camera_{camera.id}",
                {
                    "name": f"Camera {camera.name or camera.id}",
                    "state_topic": f"{base}/cameras/{camera.id}",
                    "device_class": "enum",
                    "options": _STATES,
                    "icon": "mdi:cctv",
                    **expires,
                },
            )

    def _entity(self, site: _Site, kind: str, part: str, fields: Mapping[str, object]) -> tuple[str, str]:
        # Home Assistant takes A-Z, a-z, 0-9, "_" and "-" in a topic of discovery; ids may have dots.
        node, entity = (text.replace(".", "_") for text in (f"{self._channel.topic}_{site.code}", part))
        node = node.replace("/", "_")
        payload = {
            "unique_id": f"{node}_{entity}",
            "availability_topic": f"{self._channel.topic}/status",
            "device": {
                "identifiers": [node],
                "name": site.name,
                "manufacturer": "Lazaretto",
                "model": "Quarantine facility",
            },
            "origin": {"name": "Lazaretto"},
            **fields,
        }
        return f"{self._channel.discovery}/{kind}/{node}/{entity}/config", _text(payload)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
