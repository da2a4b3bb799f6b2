"""What Ctrl-C (SIGINT) and SIGTERM, which a service manager sends, do to a command.

Both end a command with `cli.exit_codes.ExitCode.INTERRUPTED`. Most commands are ended at once, by
KeyboardInterrupt. Work that keeps what it has done is asked to stop instead (`stopping`).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from cli.exit_codes import ExitCode
from cli.logs import is_json, line_of
from vision.clock import Stop
from vision.notices import Level

CONTINUES = "interrupted; the same command continues it"
_CONTINUING = (["analyze"], ["models", "train"], ["notify", "run"])
"""Commands that go on where they were interrupted."""
_CLEAR_LINE, _SHOW_CURSOR = "\r\x1b[2K", "\x1b[?25h"


class Interrupted(Exception):
    """A command was interrupted; the text says what became of its work."""


def sentence_for(words: Sequence[str]) -> str:
    """What is said when a command is interrupted that says nothing itself.

    Args:
        words: of the command line, without the name of the program.
    """
    continues = any(list(words[: len(names)]) == names for names in _CONTINUING)
    return CONTINUES if continues else "interrupted"


def end_on_sigterm() -> None:
    """Let SIGTERM end a command as Ctrl-C does, instead of killing it; one that is ignored stays ignored."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def wake_on_sigint() -> None:
    """Let Ctrl-C interrupt whatever the main thread waits for, such as an answer or another thread.

    polars replaces the handler of SIGINT when it is imported, by one after which the system goes on with a
    wait (SA_RESTART), so that Python learns of the signal only when the wait is over
    (pola-rs/polars issue 21739). To be called after the imports.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.siginterrupt(signal.SIGINT, True)


@contextmanager
def stopping(
    stop: Stop, ending: str = "writing what was analysed; a second Ctrl-C ends it without that"
) -> Iterator[None]:
    """Within the block, the first Ctrl-C or SIGTERM sets the stop and says so; the second ends the process.

    `ending` says what is done meanwhile.
    The second one ends it at once, as a kill does: only for work that survives a kill. A SIGINT that the
    process was started to ignore, as a shell does for what it runs beside, stays ignored.
    """

    came = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came += 1  # first of all: the next signal interrupts this handler, too
        if came == 1:
            _say(f"stopping, and {ending}", Level.INFO)
            stop.set()
        elif came == 2:
            _end()

    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN]
    before = [(number, signal.signal(number, handle)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _end() -> NoReturn:
    _say("ended; the same command continues after the last whole minute that was written", Level.WARNING)
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), _SHOW_CURSOR.encode())  # The progress bar hid it.
    os._exit(ExitCode.INTERRUPTED)


def _say(text: str, level: Level) -> None:
    """Print on standard error past its buffer, in which the interrupted code may be at work."""
    # The progress bar is drawn anew below.
    start = _CLEAR_LINE if sys.stderr.isatty() and not is_json() else ""
    os.write(sys.stderr.fileno(), f"{start}{line_of(text, level)}\n".encode())
