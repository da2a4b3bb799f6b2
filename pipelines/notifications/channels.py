"""A channel for each target of a configuration."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.notifications.apprise_channel import AppriseChannel
from pipelines.notifications.configuration import Configuration, Target
from pipelines.notifications.credentials import Address, address_of
from pipelines.notifications.mqtt_channel import MqttChannel
from pipelines.notifications.sending import Channel


def open_channels(configuration: Configuration, environment: Mapping[str, str]) -> dict[str, Channel]:
    """A channel for each target; nothing is reached yet.

    Raises:
        ConfigurationError: a variable of the environment is not set, or a URL is none of its kind.
    """
    return {
        name: _open(name, target, address_of(name, target.url, environment))
        for name, target in configuration.targets.items()
    }


def _open(name: str, target: Target, address: Address) -> Channel:
    if target.kind == "mqtt":
        return MqttChannel(name, target, address)
    return AppriseChannel(name, address)
