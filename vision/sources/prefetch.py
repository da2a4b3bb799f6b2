"""Prefetching of an iterable in a background thread, so that decoding goes on while the consumer works."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

from vision.clock import Stop

T = TypeVar("T")

CLOSE_WAIT_S = 30.0
"""Seconds for which closing waits for a read that is blocked, before it leaves the thread behind; longer than
a network address may be silent. Project default (docs/defaults.md)."""


class _Shared(Generic[T]):
    """State of both threads, without a reference to the `Prefetch`, so that it can be garbage-collected."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.items: deque[T] = deque()
        self.finished = False
        self.closed = False
        self.error: BaseException | None = None

    def wake(self) -> None:
        with self.changed:
            self.changed.notify_all()


class Prefetch(Generic[T]):
    """Iterates over `items` in a background thread, at most `depth` items ahead of the consumer.

    An exception of the iterable is raised in the consumer, after the items that came before it. The thread
    ends with the items, on `close`, at the end of a `with` block, and when the iterator is garbage-collected.
    A generator is closed in the thread, so that its files are closed too.

    When `stop` is set from outside, the consumer still gets the items that wait in the queue, and then the
    iteration ends at once, even if the thread is blocked in a read.
    """

    def __init__(
        self,
        items: Iterable[T],
        depth: int = 8,
        *,
        stop: Stop | None = None,
        close_wait_s: float = CLOSE_WAIT_S,
    ) -> None:
        """Start the thread.

        Args:
            items: the iterable; from now on, only the thread may use it.
            depth: maximum number of items in the queue; one more may be in the making.
            stop: ends a blocked read of `items`, and of these items alone: `close` sets it.
            close_wait_s: see `CLOSE_WAIT_S`.

        Raises:
            ValueError: depth is below 1.
        """
        if depth < 1:
            raise ValueError(f"expected a depth of at least 1, got {depth}")
        self._shared: _Shared[T] = _Shared()
        self._stop = stop or Stop()
        self._close_wait_s = close_wait_s
        # A daemon, so that a read that nothing can interrupt does not keep the process alive.
        self._thread = threading.Thread(
            target=_fetch, args=(items, depth, self._shared, self._stop), name="prefetch", daemon=True
        )
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        """Return the object itself."""
        return self

    def __next__(self) -> T:
        """Return the next item, and wait for it if necessary."""
        shared, stop = self._shared, self._stop
        with shared.changed:
            shared.changed.wait_for(lambda: shared.items or shared.finished or stop.is_set())
            if shared.items and not shared.closed:
                item = shared.items.popleft()
                shared.changed.notify_all()
                return item
            error, shared.error = shared.error, None
        if error is not None:
            raise error
        raise StopIteration

    def close(self) -> bool:
        """Set the stop, and wait until the thread ends, after its current item. May be called twice.

        Returns:
            False if the thread is blocked in a read that did not end in time. It then goes on by itself: it
            ends, and closes what it reads, when the read ends.
        """
        with self._shared.changed:
            self._shared.closed = True
            self._shared.items.clear()
        self._stop.set()
        if self._thread is threading.current_thread():
            return False
        self._thread.join(self._close_wait_s)
        return not self._thread.is_alive()

    def __enter__(self) -> Self:
        """Enter a `with` block, at whose end the thread ends."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the thread."""
        self.close()

    def __del__(self) -> None:
        """End the thread of a consumer that stopped early and dropped the iterator."""
        stop = getattr(self, "_stop", None)
        if stop is not None:
            stop.set()


def _fetch(items: Iterable[T], depth: int, shared: _Shared[T], stop: Stop) -> None:
    try:
        with stop.calling(shared.wake):
            iterator = iter(items)
            try:
                for item in iterator:
                    with shared.changed:
                        shared.changed.wait_for(lambda: len(shared.items) < depth or stop.is_set())
                        if stop.is_set():
                            break
                        shared.items.append(item)
                        shared.changed.notify_all()
            finally:
                close = getattr(iterator, "close", None)
                if close is not None:
                    close()
    except BaseException as error:
        # Every exception is passed to the consumer; without it, the footage would seem to have ended.
        shared.error = error
    finally:
        with shared.changed:
            shared.finished = True
            shared.changed.notify_all()
