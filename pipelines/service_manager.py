"""Telling systemd how the watch is: that it is ready, alive, stopping.

A unit of `Type=notify` names a socket in NOTIFY_SOCKET; a message is one datagram of lines `NAME=value`
(sd_notify(3)). With `WatchdogSec=`, systemd kills and restarts a service that does not say in time that it is
alive. Without a service manager, all of this does nothing.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from typing import Self

SECOND_US = 1_000_000
_LOG = logging.getLogger(__name__)


class ServiceManager:
    """The service manager that started this process, or none. May be used by any thread.

    Attributes:
        watchdog_s: seconds within which `alive` must be called again, half of what the unit allows; None = it
            need not be called.
    """

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        """Begin.

        Args:
            address: of the socket, "@" first where its name is abstract; None = there is no service manager.
            watchdog_s: see `ServiceManager`.
        """
        self.watchdog_s = watchdog_s
        self._address = address
        self._fault = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The service manager that the environment names; a watchdog for another process is none of ours."""
        allowed = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watchdog_s = int(allowed) / SECOND_US / 2 if allowed.isdigit() and int(allowed) and ours else None
        return cls(environment.get("NOTIFY_SOCKET") or None, watchdog_s)

    def ready(self, status: str = "") -> bool:
        """Say that the start is over; `status` is a line for `systemctl status`.

        Returns:
            Whether the message was sent. One that was not is of no importance: the next one is.
        """
        return self._send("READY=1", status)

    def starting(self, status: str, more_s: float) -> bool:
        """Say that the start goes on, and takes at least `more_s` seconds more."""
        return self._send(f"EXTEND_TIMEOUT_USEC={round(more_s * SECOND_US)}", status)

    def alive(self, status: str = "") -> bool:
        """Say that all is well, within every `watchdog_s`: only where the work itself goes on."""
        return self._send("WATCHDOG=1", status)

    def stopping(self, status: str = "") -> bool:
        """Say that the service ends as it was asked to."""
        return self._send("STOPPING=1", status)

    def _send(self, state: str, status: str) -> bool:
        if self._address is None:
            return False
        line = " ".join(status.split())
        message = f"{state}\nSTATUS={line}" if line else state
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                # A service manager that does not read must not stop the watch.
                channel.sendto(message.encode(), socket.MSG_DONTWAIT, address)
        except OSError as error:
            fault = error.strerror or str(error)
            if fault != self._fault:
                _LOG.warning("cannot tell the service manager (%s): %s", self._address, fault)
            self._fault = fault
            return False
        self._fault = ""
        return True
