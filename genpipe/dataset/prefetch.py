"""Things with numbers, made on threads before they are asked for."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")
_THREADS = 4
"""Reading from a disk goes faster when it is asked for several things at once."""


class Prefetcher(Generic[T]):
    """Gives what `make` makes of a number, and has the numbers that come next made meanwhile."""

    def __init__(self, make: Callable[[int], T]) -> None:
        self._make = make
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ahead")
        self._begun: dict[int, Future[T]] = {}

    def get(self, number: int, ahead: int) -> T:
        """The thing with this number; so many after it are begun."""
        wanted = range(number, number + ahead + 1)
        for other in [k for k in self._begun if k not in wanted]:
            self._begun.pop(other).cancel()
        for k in wanted:
            if k not in self._begun:
                self._begun[k] = self._threads.submit(self._make, k)
        return self._begun.pop(number).result()
