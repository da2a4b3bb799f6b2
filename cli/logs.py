"""The log of programs that run for months: a line per event on standard error, as text or as JSON."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum

from zones.credentials import redact


class LogFormat(StrEnum):
    """How lines of the log are written."""

    TEXT = "text"
    JSON = "json"


class _Lines(logging.Formatter):
    """Lines without credentials, whatever they are about."""

    def __init__(self, form: LogFormat) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        camera, text = getattr(record, "camera", ""), redact(record.getMessage())
        if record.exc_info:
            text = f"{text}\n{redact(self.formatException(record.exc_info))}"
        if self._form is LogFormat.JSON:
            about = {"camera": camera} if camera else {}
            return json.dumps(
                {"time": moment, "level": record.levelname.lower(), **about, "message": text},
                ensure_ascii=False,
            )
        return f"{moment} {f'camera {camera}: ' if camera else ''}{text}"


def log_to_standard_error(form: LogFormat) -> None:
    """Write what the program logs to standard error from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(form))
    for name in ("lazaretto", "incidents", "models"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)
