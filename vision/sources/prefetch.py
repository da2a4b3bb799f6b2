"""Prefetching of an iterable in a background thread, so that decoding goes on while the consumer works."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class _Shared(Generic[T]):
    """State of both threads, without a reference to the `Prefetch`, so that it can be garbage-collected."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.items: deque[T] = deque()
        self.finished = False
        self.stopped = False
        self.error: BaseException | None = None


class Prefetch(Generic[T]):
    """Iterates over `items` in a background thread, at most `depth` items ahead of the consumer.

    An exception of the iterable is raised in the consumer, after the items that came before it. The thread
    ends with the items, on `close`, at the end of a `with` block, and when the iterator is garbage-collected.
    A generator is closed in the thread, so that its files are closed too.
    """

    def __init__(self, items: Iterable[T], depth: int = 8) -> None:
        """Start the thread.

        Args:
            items: the iterable; from now on, only the thread may use it.
            depth: maximum number of items in the queue; one more may be in the making.

        Raises:
            ValueError: depth is below 1.
        """
        if depth < 1:
            raise ValueError(f"expected a depth of at least 1, got {depth}")
        self._shared: _Shared[T] = _Shared()
        self._thread = threading.Thread(
            target=_fetch, args=(items, depth, self._shared), name="prefetch", daemon=True
        )
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        """Return the object itself."""
        return self

    def __next__(self) -> T:
        """Return the next item, and wait for it if necessary."""
        shared = self._shared
        with shared.changed:
            shared.changed.wait_for(lambda: shared.items or shared.finished or shared.stopped)
            if shared.items and not shared.stopped:
                item = shared.items.popleft()
                shared.changed.notify_all()
                return item
            error, shared.error = shared.error, None
        if error is not None:
            raise error
        raise StopIteration

    def close(self) -> None:
        """Stop the thread and wait until it ends, after its current item. May be called twice."""
        with self._shared.changed:
            self._shared.stopped = True
            self._shared.items.clear()
            self._shared.changed.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join()

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
        shared = getattr(self, "_shared", None)
        if shared is not None:
            with shared.changed:
                shared.stopped = True
                shared.changed.notify_all()


def _fetch(items: Iterable[T], depth: int, shared: _Shared[T]) -> None:
    try:
        iterator = iter(items)
        try:
            for item in iterator:
                with shared.changed:
                    shared.changed.wait_for(lambda: len(shared.items) < depth or shared.stopped)
                    if shared.stopped:
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
