"""Send the messages to one target: when, in what order, and what happens when it does not take them.

A message is noted as sent after the target took it. A kill between the two sends it again, with the same key:
every message arrives at least once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.notifications.configuration import Configuration, Target
from pipelines.notifications.messages import Message
from pipelines.notifications.sending import Channel, SendError
from pipelines.notifications.store import Store
from pipelines.notifications.waiting import LONGEST_WAIT_S, is_ahead, is_quiet, left_of_limit
from pipelines.notifications.words import digest_of
from vision.clock import Clock
from vision.frames import SECOND

FIRST_WAIT_S = 10.0
"""Seconds until a message that was not taken is tried again; each further wait is twice as long.
Project default (docs/defaults.md)."""
POLL_S = 1.0
"""Seconds after which the queue is looked at again. Project default (docs/defaults.md)."""

logger = logging.getLogger(__name__)


@dataclass
class Deliverer:
    """Sends the messages of one target; used by one thread.

    Attributes:
        name: of the target.
        configuration: with the target.
        channel: the way to it.
        store: the queue, open, of this thread.
        clock: the time of day.
    """

    name: str
    configuration: Configuration
    channel: Channel
    store: Store
    clock: Clock
    _failures: int = 0
    _rest_until: int = 0

    @property
    def target(self) -> Target:
        """The target."""
        return self.configuration.targets[self.name]

    def step(self) -> float:
        """Send at most one message; returns the seconds until the next step is worth while.

        Raises:
            StoreError: the queue cannot be used; to be repeated.
        """
        now = self.clock.now()
        free = self._free(now)
        waiting = [one for one in free if not self._expired(one, now)]
        if not waiting or is_ahead(self._rest_until, now):
            return POLL_S
        message = self._next(waiting, now)
        if message is None:
            return POLL_S
        return self._send(message)

    def _free(self, now: int) -> list[Message]:
        """The messages that quiet hours do not hold; what they hold or let go is noted."""
        free, held, released = [], [], []
        for one in self.store.pending(self.name):
            if is_quiet(self.target, one, now):
                if not one.held or one.ready is not None:
                    held.append(one.id)
                continue
            if one.ready is None:
                released.append(one.id)
            free.append(one)
        if held or released:
            with self.store.writing():
                self.store.hold(held)
                self.store.release(released, now)
        return free

    def _expired(self, message: Message, now: int) -> bool:
        if message.ready is None or now - message.ready <= self.configuration.give_up_us:
            return False
        with self.store.writing():
            self.store.finish([message.id], "expired", now)
        logger.error(
            "the message %s to %s was given up after %g h: %s",
            message.draft.key,
            self.name,
            self.configuration.give_up_after_h,
            message.error or "there was no time to try it",
        )
        return True

    def _next(self, waiting: Sequence[Message], now: int) -> Message | None:
        """The message to be sent now: the urgent ones first; of others no more than the limit allows."""
        due = sorted(
            (one for one in waiting if not is_ahead(one.next, now)), key=lambda one: (one.attempts, one.id)
        )
        urgent = [one for one in due if self.target.let_through(one.draft.severity)]
        if urgent:
            return urgent[0]
        left = left_of_limit(self.name, self.target, self.store, now)
        if not due or left == 0:
            return None
        single = [
            one for one in waiting if not one.draft.digest and not self.target.let_through(one.draft.severity)
        ]
        # The last message of the hour tells of all that wait; so does the first one after quiet hours.
        held = [one for one in single if one.held]
        gathered = single if left == 1 else held
        if len(gathered) > 1:
            return self._gather(gathered, now)
        return due[0]

    def _gather(self, messages: Sequence[Message], now: int) -> Message:
        """Put one message in the place of several, for good: so that a second attempt sends the same one."""
        draft = digest_of(messages, self.target.lang or self.configuration.lang)
        ready = min((one.ready for one in messages if one.ready is not None), default=now)
        with self.store.writing():
            self.store.queue(draft, now, ready)
            self.store.finish([one.id for one in messages], "gathered", now)
        return next(one for one in self.store.pending(self.name) if one.draft.key == draft.key)

    def _send(self, message: Message) -> float:
        error = self._attempt(message)
        now = self.clock.now()
        # A target that is down is not asked with one message after the other.
        rest = _wait_s(self._failures)
        with self.store.writing():
            if error is None:
                self.store.finish([message.id], "sent", now)
            else:
                wait = max(rest, _wait_s(message.attempts))
                self.store.failed(message.id, error, now + round(wait * SECOND))
        if error is None:
            if self._failures:
                logger.info("%s takes messages again", self.name)
            self._failures, self._rest_until = 0, 0
            return 0.0
        if self._failures == 0:
            logger.warning("%s did not take a message, which is tried again: %s", self.name, error)
        self._failures += 1
        self._rest_until = now + round(rest * SECOND)
        return POLL_S

    def _attempt(self, message: Message) -> str | None:
        """Send a message; returns why it was not taken, or None."""
        try:
            self.channel.send(message.draft)
        except SendError as error:
            return str(error)
        except Exception as error:  # a fault of one of a hundred plugins must not end the thread
            return f"{type(error).__name__} while it was sent"
        return None


def _wait_s(failures: int) -> float:
    return min(FIRST_WAIT_S * 2.0 ** min(failures, 20), LONGEST_WAIT_S)
