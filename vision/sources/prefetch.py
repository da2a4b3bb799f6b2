"""Iterating ahead in a thread, so that decoding goes on while the consumer works."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class _Shared(Generic[T]):
    """What both threads see. It holds no reference to the `Prefetch`, so that one can be forgotten."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.items: deque[T] = deque()
        self.over = False
        self.stopped = False
        self.error: BaseException | None = None


class Prefetch(Generic[T]):
    """Iterates over `items` in a background thread, at most `depth` items ahead.

    An exception of the iterable is raised in the consumer, after the items that came before it. The
    thread ends when the items do, on `close`, at the end of a `with` block, and when the iterator is
    forgotten; a generator is closed in that thread, so its files are closed too.
    """

    def __init__(self, items: Iterable[T], depth: int = 8) -> None:
        """Start at once.

        Args:
            items: what to iterate over; from now on only the thread may touch it.
            depth: items held at most; with one more being made, this bounds the memory.

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
        """The iterator is the object itself."""
        return self

    def __next__(self) -> T:
        """The next item; waits for it."""
        shared = self._shared
        with shared.changed:
            shared.changed.wait_for(lambda: shared.items or shared.over or shared.stopped)
            if shared.items and not shared.stopped:
                item = shared.items.popleft()
                shared.changed.notify_all()
                return item
            error, shared.error = shared.error, None
        if error is not None:
            raise error
        raise StopIteration

    def close(self) -> None:
        """Stop and wait for the thread, which ends after the item it is making. May be called twice."""
        with self._shared.changed:
            self._shared.stopped = True
            self._shared.items.clear()
            self._shared.changed.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> Self:
        """Use as a context manager, so that the thread ends with the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def __del__(self) -> None:
        """A consumer that breaks off and forgets the iterator leaves no thread behind."""
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
        # Whatever it is, it belongs to the consumer: swallowed here, footage would seem to have ended.
        shared.error = error
    finally:
        with shared.changed:
            shared.over = True
            shared.changed.notify_all()
