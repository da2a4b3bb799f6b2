"""`notifications.yaml`: the targets of messages, and what each of them is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from incidents.review_due import REVIEW_DUE_MIN
from incidents.rule_record import KINDS, SEVERITIES, Kind, Severity
from zones.camera import Identifier
from zones.credentials import has_credentials
from zones.errors import FacilityError, FaultCode, LazarettoError
from zones.loading import read_document
from zones.schedule import Window
from zones.validation import Model, check_choices, describe, explain, refuse, suggest

CONFIGURATION = "notifications.yaml"
"""Name of the file in the home."""
MOST_PER_HOUR = 20
"""Messages to one `apprise` target in an hour, at most. Project default (docs/defaults.md)."""
GIVE_UP_AFTER_H = 24.0
"""Hours for which a message is tried again until it is given up. Project default (docs/defaults.md)."""

Happening = Literal["opened", "alerted", "corrected", "closed"]
"""opened = first told; alerted = it goes on; corrected = its severity changed; closed = it ended. That an
incident was withdrawn is always told to whom was told of the incident."""
Language = Literal["vi", "en"]
Hours = Annotated[float, Field(strict=True, gt=0, le=24 * 14, allow_inf_nan=False)]
Minutes = Annotated[float, Field(strict=True, ge=0, le=7 * 24 * 60, allow_inf_nan=False)]


class ConfigurationError(LazarettoError):
    """A file of notifications that cannot be used; one sentence with the line, the field, and what came."""


def rank(severity: Severity) -> int:
    """Severities as numbers: the larger, the more severe."""
    return len(SEVERITIES) - SEVERITIES.index(severity)


def _check_url(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if url.startswith("${") and url.endswith("}") and url.count("${") == 1:
        return url
    if not separator or not scheme or not rest:
        refuse("a URL such as mailtos://... or mqtt://host", describe(url), code=FaultCode.MALFORMED)
    if has_credentials(url):
        refuse(
            "no user, password or token in clear",
            "a URL with one",
            code=FaultCode.CREDENTIALS,
            hint="write ${NAME}, and set the variable NAME in the environment",
        )
    return url


def _check_page(url: str) -> str:
    if "{id}" not in url or not url.startswith(("http://", "https://")):
        refuse("a URL of http or https with {id} in it", describe(url), code=FaultCode.MALFORMED)
    return url


class Target(Model):
    """Where messages go, and which."""

    kind: Literal["apprise", "mqtt"] = Field(
        title="Kind", description="apprise: mail, webhooks, chats; mqtt: a broker, for Home Assistant too."
    )
    url: Annotated[str, AfterValidator(_check_url)] = Field(
        title="URL",
        description="Of apprise, or mqtt://host[:port] or mqtts://...; credentials only as ${NAME}.",
    )
    facilities: Annotated[tuple[Identifier, ...], Field(min_length=1)] | None = Field(
        default=None, title="Facilities", description="Codes of facilities; left out, all."
    )
    severity: Severity = Field(default="low", title="Severity", description="The least that is told.")
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = Field(
        default=KINDS, title="Kinds", description="Kinds of incidents; left out, all."
    )
    events: tuple[Happening, ...] = Field(
        default=("opened", "alerted", "corrected"),
        title="Events",
        description="What of an incident is told; an empty list leaves withdrawals and escalation.",
    )
    quiet: tuple[Window, ...] = Field(
        default=(), title="Quiet hours", description="Daily windows, local time of the facility."
    )
    passes: Severity = Field(
        default="critical",
        title="Passes",
        description="From this severity on, neither quiet hours nor the limit per hour hold a message back.",
    )
    most_per_hour: Annotated[int, Field(strict=True, ge=1, le=3600)] | None = Field(
        default=None,
        title="Most per hour",
        description=f"Messages in an hour; further ones are gathered. Left out: {MOST_PER_HOUR} for apprise, "
        "no limit for mqtt.",
    )
    lang: Language | None = Field(
        default=None, title="Language", description="vi or en; left out, that of the file."
    )
    topic: Annotated[str, Field(min_length=1, max_length=100, pattern="^[^#+/$][^#+]*$")] | None = Field(
        default=None, title="Topic", description="Of mqtt: where its topics begin; left out, `lazaretto`."
    )
    discovery: Annotated[str, Field(max_length=100, pattern="^[^#+]*$")] | None = Field(
        default=None,
        title="Discovery",
        description="Of mqtt: the discovery prefix of Home Assistant; left out, `homeassistant`; empty, off.",
    )

    @model_validator(mode="after")
    def _fields_fit_the_kind(self) -> Self:
        for name in ("topic", "discovery"):
            if self.kind == "apprise" and getattr(self, name) is not None:
                got = f"{name!r} of a target of kind apprise"
                refuse("a field of this kind", got, name, code=FaultCode.CONFLICT)
        return self

    @property
    def limit(self) -> int | None:
        """Messages in an hour, at most; None = no limit."""
        if self.most_per_hour is None and self.kind == "apprise":
            return MOST_PER_HOUR
        return self.most_per_hour

    def concerns(self, facility: str, kind: str) -> bool:
        """Whether incidents of a facility and kind are its concern."""
        return (self.facilities is None or facility in self.facilities) and kind in self.kinds

    def let_through(self, severity: Severity) -> bool:
        """Whether a message of that severity waits for nothing."""
        return rank(severity) >= rank(self.passes)


class Escalation(Model):
    """Who else is told when no one has begun to review an incident in time."""

    severity: Severity = Field(title="Severity", description="The least severity of the incidents.")
    after_min: Minutes | None = Field(
        default=None,
        title="After",
        description="Minutes after the incident was recorded; left out, when its review is due "
        f"({', '.join(f'{name} {due:g}' for name, due in REVIEW_DUE_MIN.items())}).",
    )
    targets: Annotated[tuple[Identifier, ...], Field(min_length=1)] = Field(title="Targets")

    def due_us(self, severity: Severity) -> int:
        """How long after an incident of that severity was recorded the step is taken, microseconds."""
        minutes = REVIEW_DUE_MIN[severity] if self.after_min is None else self.after_min
        return round(minutes * 60_000_000)


class Configuration(Model):
    """The file of notifications."""

    lang: Language = Field(default="vi", title="Language", description="Of the messages: vi or en.")
    see: Annotated[str, AfterValidator(_check_page)] | None = Field(
        default=None,
        title="See",
        description="Page of an incident, with {id} in the place of its id; left out, the command is named.",
    )
    give_up_after_h: Hours = Field(
        default=GIVE_UP_AFTER_H, title="Give up after", description="Hours for which a message is tried."
    )
    targets: Annotated[dict[Identifier, Target], Field(min_length=1)] = Field(title="Targets")
    escalation: tuple[Escalation, ...] = Field(
        default=(), title="Escalation", description="Steps, each taken once for an incident."
    )

    @model_validator(mode="after")
    def _targets_exist(self) -> Self:
        for s, step in enumerate(self.escalation):
            for n, name in enumerate(step.targets):
                if name not in self.targets:
                    refuse(
                        f"a target among {', '.join(self.targets)}",
                        describe(name),
                        *("escalation", s, "targets", n),
                        code=FaultCode.UNKNOWN_REFERENCE,
                        hint=suggest(name, self.targets),
                    )
        return self

    def only(self, name: str) -> Self:
        """The same with one target alone, and no steps of escalation.

        Raises:
            LazarettoError: there is no such target.
        """
        check_choices("a target", [name], tuple(self.targets))
        return self.model_copy(update={"targets": {name: self.targets[name]}, "escalation": ()})

    @property
    def give_up_us(self) -> int:
        """Microseconds for which a message is tried."""
        return round(self.give_up_after_h * 3_600_000_000)


def parse_configuration(text: str, name: str) -> Configuration:
    """Read the configuration from YAML text; `name` of the file is for messages.

    Raises:
        ConfigurationError: with the line and the field.
    """
    try:
        document = read_document(text, name, what="targets of notifications", key="targets")
        try:
            return Configuration.model_validate(document.data, by_alias=True, by_name=False)
        except ValidationError as error:
            raise explain(error, name, document.line, _schema()) from None
    except FacilityError as error:
        raise ConfigurationError(str(error)) from None


def load_configuration(path: Path) -> Configuration:
    """Read the file of notifications.

    Raises:
        ConfigurationError: it cannot be read, or has a fault; the first one is named.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{path}: expected a file of notifications (docs/notifications.md), got: "
            f"{error.strerror or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: expected UTF-8 text, got another encoding") from error
    return parse_configuration(text, str(path))


def _schema() -> Mapping[str, Any]:
    return Configuration.model_json_schema(by_alias=True)
