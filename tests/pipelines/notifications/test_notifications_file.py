"""`notifications.yaml`: what is refused, and with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidents.coverage import State
from incidents.rule_record import KINDS, SEVERITIES
from pipelines.notifications.channels import open_channels
from pipelines.notifications.configuration import (
    ConfigurationError,
    load_configuration,
    parse_configuration,
)
from pipelines.notifications.words import word

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "f: expected targets of notifications in YAML, got an empty file"),
        ("- a\n", "f: line 1: expected a mapping with the key 'targets', got a list"),
        ("targets: {}\n", "f: line 1: targets: expected at least 1 target, got 0"),
        (
            "targets:\n  duty: {kind: mail, url: 'mailto://x'}\n",
            "f: line 2: targets.duty.kind: expected one of apprise, mqtt, got 'mail'",
        ),
        (
            "targets:\n  duty:\n    kind: apprise\n    url: mailto://an:secret@mail.example.vn\n",
            "f: line 4: targets.duty.url: expected no user, password or token in clear, got a URL with one; "
            "write ${NAME}, and set the variable NAME in the environment",
        ),
        (
            "targets:\n  duty: {kind: apprise, url: 'json://x', sverity: high}\n",
            "f: line 2: targets.duty.sverity: expected one of the fields kind, url, facilities, severity, "
            "kinds, events, quiet, passes, most_per_hour, lang, topic, discovery, got 'sverity'; did you "
            "mean 'severity'?",
        ),
        (
            "targets:\n  duty: {kind: apprise, url: 'json://x', topic: a}\n",
            "f: line 2: targets.duty.topic: expected a field of this kind, got 'topic' of a target of kind "
            "apprise",
        ),
        (
            "targets:\n  duty: {kind: apprise, url: 'json://x'}\n"
            "escalation:\n- {severity: high, targets: [dty]}\n",
            "f: line 4: escalation[0].targets[0]: expected a target among duty, got 'dty'; did you mean "
            "'duty'?",
        ),
        (
            "see: https://x/incidents\ntargets:\n  duty: {kind: apprise, url: 'json://x'}\n",
            "f: line 1: see: expected a URL of http or https with {id} in it, got 'https://x/incidents'",
        ),
    ],
)
def test_a_fault_is_named_with_its_line_and_field(text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_configuration(text, "f")
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("kind", "url", "environment", "sentence"),
    [
        (
            *("apprise", "jsons://${WHO}:${PASS}@x/", {"WHO": "an"}),
            "targets.duty.url: expected the environment variable PASS to be set, got nothing",
        ),
        (
            *("apprise", "tgram://123456789:abcdefghijklmnop/12345", {}),
            "targets.duty.url: expected no user, password or token in clear, got a URL with one",
        ),
        (
            "apprise",
            "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/",
            {},
            "targets.duty.url: expected no",
        ),
        ("apprise", "nothing://x", {}, "targets.duty.url: expected a URL of apprise"),
        ("mqtt", "http://x", {}, "targets.duty.url: expected mqtt://HOST[:PORT] or mqtts://HOST[:PORT]"),
        ("mqtt", "mqtt://x:99999999", {}, "targets.duty.url: expected mqtt://HOST[:PORT]"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_before_anything_is_sent(
    kind: str, url: str, environment: dict[str, str], sentence: str
) -> None:
    configuration = parse_configuration(f"targets: {{duty: {{kind: {kind}, url: '{url}'}}}}", "f")
    with pytest.raises(ConfigurationError) as refused:
        open_channels(configuration, environment)
    assert str(refused.value).startswith(sentence)
    assert "an" not in str(refused.value).split()


def test_the_example_is_valid_and_its_channels_open() -> None:
    configuration = load_configuration(ROOT / "data" / "notifications.yaml")
    names = ("MAIL_USER", "MAIL_PASSWORD", "MQTT_USER", "MQTT_PASSWORD", "TELEGRAM_TOKEN")
    channels = open_channels(configuration, {name: "123456789:abcdefghijklmnop" for name in names})
    assert set(channels) == set(configuration.targets)


def test_every_kind_severity_and_state_has_words_in_vietnamese() -> None:
    for name in (*KINDS, *SEVERITIES, "offline", "frozen", "covered", "dark", "blurred", "moved", "clock"):
        assert word("vi", name) != name.replace("_", " ")
        assert word("en", name)
    assert word("vi", State.UNDECODABLE) == "không giải mã được"
    assert word("vi", "something_new") == "something new"
