"""What was made of the real images once serves for all scores against them."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from genpipe.interfaces import Evidence

T = TypeVar("T")


def remembered(make: Callable[..., T]) -> Callable[..., T]:
    """A function of evidence, and perhaps more, that makes each thing once, and forgets it with the evidence."""
    made: WeakKeyDictionary[Evidence, dict[tuple[Any, ...], T]] = WeakKeyDictionary()

    @wraps(make)
    def known(evidence: Evidence, *how: Any) -> T:
        things = made.setdefault(evidence, {})
        if how not in things:
            things[how] = make(evidence, *how)
        return things[how]

    return known
