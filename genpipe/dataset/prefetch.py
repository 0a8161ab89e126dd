"""Prefetching of numbered items on threads."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")
_THREADS = 4
"""Threads; a disk is faster with several requests at once."""


class Prefetcher(Generic[T]):
    """Returns `make(number)`, and prepares the next numbers in the background."""

    def __init__(self, make: Callable[[int], T]) -> None:
        self._make = make
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ahead")
        self._begun: dict[int, Future[T]] = {}

    def get(self, number: int, ahead: int) -> T:
        """Returns the item with this number, and starts a number of items after it."""
        wanted = range(number, number + ahead + 1)
        for other in [k for k in self._begun if k not in wanted]:
            self._begun.pop(other).cancel()
        for k in wanted:
            if k not in self._begun:
                self._begun[k] = self._threads.submit(self._make, k)
        return self._begun.pop(number).result()
