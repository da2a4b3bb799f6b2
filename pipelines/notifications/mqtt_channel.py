"""Messages to an MQTT broker, and what is retained there."""

from __future__ import annotations

import json
import secrets
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pipelines.notifications.configuration import ConfigurationError, Target
from pipelines.notifications.credentials import Address
from pipelines.notifications.messages import Draft
from pipelines.notifications.sending import SendError

if TYPE_CHECKING:
    from paho.mqtt.client import Client

TOPIC = "lazaretto"
"""Where the topics of a broker begin unless the target says otherwise."""
DISCOVERY = "homeassistant"
"""Where Home Assistant looks for devices unless the target says otherwise."""
CONNECT_S = 10.0
"""Seconds to wait for the broker before a message. Project default (docs/defaults.md)."""
PUBLISH_S = 15.0
"""Seconds in which the broker must have taken a message. Project default (docs/defaults.md)."""
KEEP_ALIVE_S = 30
"""Seconds without traffic after which broker and program ask each other whether they are there: so the broker
says after 45 s at most that the program is not. Project default (docs/defaults.md)."""
ONLINE, OFFLINE = "online", "offline"
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class MqttChannel:
    """A connection to a broker, made anew when it breaks; may be used by several threads.

    The broker says `offline` under `TOPIC/status` when the program is gone (last will).
    """

    def __init__(self, target: str, settings: Target, address: Address) -> None:
        """Read the URL; nothing is reached yet.

        Raises:
            ConfigurationError: the URL is none of a broker.
        """
        self.topic = settings.topic or TOPIC
        self.discovery = DISCOVERY if settings.discovery is None else settings.discovery
        self._name, self._address = target, address
        try:
            parts = urlsplit(address.url)
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            parts, port = urlsplit(""), 0
        if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/"):
            raise ConfigurationError(
                f"targets.{target}.url: expected mqtt://HOST[:PORT] or mqtts://HOST[:PORT], got another URL "
                "(once its variables are in it)"
            )
        self._host, self._port, self._tls = parts.hostname, port, parts.scheme == "mqtts"
        self._login = (unquote(parts.username or ""), unquote(parts.password or ""))
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._connected = threading.Event()
        self._closed = False
        self._refusal = ""
        self.connections = 0
        """How often the broker was reached: what is retained is sent anew after each time."""

    def send(self, draft: Draft) -> None:
        """Send a message to `TOPIC/messages` (QoS 1); see `Channel`."""
        content = {**json.loads(draft.payload), "title": draft.title, "text": draft.body}
        self.publish(f"{self.topic}/messages", json.dumps(content, ensure_ascii=False))

    def publish(self, topic: str, payload: str, retain: bool = False) -> None:
        """Publish with QoS 1, and return when the broker has taken it.

        Raises:
            SendError: the broker is not there, or did not take it in time.
        """
        client = self._started()
        if not self._connected.wait(CONNECT_S):
            reason = f": {self._refusal}" if self._refusal else ""
            raise SendError(f"no connection to the broker {self._host}:{self._port}{reason}")
        sent = client.publish(topic, payload, qos=1, retain=retain)
        reason = f"in {PUBLISH_S:g} s"
        try:
            sent.wait_for_publish(PUBLISH_S)
            if sent.is_published():
                return
        except (ValueError, RuntimeError) as error:
            reason = str(error)
        # Else the client would keep the message, and send it beside the next attempt.
        self._drop(client)
        raise SendError(f"the broker {self._host}:{self._port} did not take a message: {reason}")

    def close(self) -> None:
        """Say `offline`, and end the connection for good."""
        with self._lock:
            client, self._client, self._closed = self._client, None, True
        if client is None:
            return
        if self._connected.is_set():
            # If the connection has just broken, the broker says it itself.
            with suppress(RuntimeError):
                client.publish(f"{self.topic}/status", OFFLINE, qos=1, retain=True).wait_for_publish(1.0)
        client.disconnect()
        client.loop_stop()

    def _drop(self, client: Client) -> None:
        """Give up a connection with all that it has not sent; the next message makes a new one."""
        with self._lock:
            if self._client is client:
                self._client = None
                self._connected.clear()
        client.disconnect()
        client.loop_stop()

    def _started(self) -> Client:
        with self._lock:
            if self._closed:
                raise SendError("the program ends")
            if self._client is None:
                self._client = self._new_client()
            return self._client

    def _new_client(self) -> Client:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"lazaretto-{self._name}-{secrets.token_hex(4)}"[:60]
        )
        if self._login[0]:
            client.username_pw_set(*self._login)
        if self._tls:
            client.tls_set()
        client.will_set(f"{self.topic}/status", OFFLINE, qos=1, retain=True)
        client.reconnect_delay_set(1, 60)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.connect_async(self._host, self._port, keepalive=KEEP_ALIVE_S)
        client.loop_start()
        return client

    def _on_connect(self, client: Client, *said: Any) -> None:
        _, _, reason, _ = said  # user data, flags, reason, properties
        if reason.is_failure:
            self._refusal = str(reason)
            return
        with self._lock:
            if client is not self._client:
                return  # it was given up while it connected
            self._refusal = ""
            self.connections += 1
            self._connected.set()
        client.publish(f"{self.topic}/status", ONLINE, qos=1, retain=True)

    def _on_disconnect(self, client: Client, *_: Any) -> None:
        with self._lock:
            if client is self._client:
                self._connected.clear()
