"""What the program says on standard error beside progress: as text, or as JSON, an object per line."""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType

from vision.notices import Level
from zones.credentials import redact

_PACKAGES = ("lazaretto", "incidents", "models", "pipelines")
"""Loggers of the program's own."""


class LogFormat(StrEnum):
    """How lines of the log are written."""

    TEXT = "text"
    JSON = "json"


_form = LogFormat.TEXT


class _Lines(logging.Formatter):
    """Lines of a log, each with its time, without credentials, whatever they are about."""

    def format(self, record: logging.LogRecord) -> str:
        camera, text = getattr(record, "camera", ""), redact(record.getMessage())
        if record.exc_info:
            text = f"{text}\n{redact(self.formatException(record.exc_info))}"
        if _form is LogFormat.JSON:
            return _object(record.created, record.levelno, text, camera)
        return f"{_moment(record.created)} {f'camera {camera}: ' if camera else ''}{text}"


class _Sentences(logging.Formatter):
    """What is said where no log is kept."""

    def format(self, record: logging.LogRecord) -> str:
        return line_of(record.getMessage(), record.levelno)


def line_of(message: object, level: int = Level.WARNING) -> str:
    """A line for standard error in the form that is in force, without credentials.

    Args:
        message: for people; its text is used.
        level: of `vision.notices.Level`; said in JSON alone.
    """
    text = redact(str(message))
    if _form is LogFormat.JSON:
        return _object(datetime.now(UTC).timestamp(), level, text)
    return f"lazaretto: {text}"


def say(message: object, level: int = Level.WARNING) -> None:
    """Print a line on standard error in the form that is in force."""
    print(line_of(message, level), file=sys.stderr)


def is_json() -> bool:
    """Whether lines on standard error are JSON."""
    return _form is LogFormat.JSON


def show_sentences() -> None:
    """Print what the program's own modules log on standard error: of a command that keeps no log."""
    _begin(LogFormat.TEXT, _Sentences())


def log_to_standard_error(form: LogFormat) -> None:
    """Write what the program logs to standard error from now on, each line with its time.

    With JSON, all else that is said there is an object, too: errors at the end, what other packages log or
    warn of, and the trace of a fault of the program.
    """
    handler = _begin(form, _Lines())
    if form is LogFormat.JSON:
        logging.getLogger().handlers = [handler]
        logging.captureWarnings(True)
        sys.excepthook = _log_fault
        threading.excepthook = lambda fault: _log_fault(
            fault.exc_type, fault.exc_value or fault.exc_type(), fault.exc_traceback
        )


def _begin(form: LogFormat, lines: logging.Formatter) -> logging.Handler:
    """Have the program's own modules log in a form; undoes what an earlier command of this process chose."""
    global _form
    if _form is LogFormat.JSON:
        logging.getLogger().handlers = []
        logging.captureWarnings(False)
        sys.excepthook, threading.excepthook = sys.__excepthook__, threading.__excepthook__
    _form = form
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(lines)
    for name in _PACKAGES:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)
    return handler


def _log_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    text = "".join(traceback.format_exception(kind, error, trace)).strip()
    say(f"the program failed: {text}", Level.ERROR)


def _object(seconds: float, level: int, text: str, camera: str = "") -> str:
    about = {"camera": camera} if camera else {}
    name = logging.getLevelName(level).lower()
    return json.dumps({"time": _moment(seconds), "level": name, **about, "message": text}, ensure_ascii=False)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
