"""The knobs that an experiment has, by dotted path."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from genpipe import registry
from genpipe.composing._editing import put
from genpipe.config import Optim
from genpipe.document import parse
from genpipe.errors import UnknownName


def turned(text: str, edits: Iterable[tuple[str, str]], system: Any) -> str:
    """A pipeline text with the values, given as YAML, of some knobs changed. Raises UnknownName or ConfigError."""
    for path, value in edits:
        allowed = _knobs(parse(text).value, system)
        if path not in allowed:
            raise UnknownName(path, "knob", _near(path, allowed))
        text = put(text, tuple(path.split(".")), value)
    return text


def _knobs(values: Mapping[str, Any], system: Any) -> set[str]:
    """Every path that may be set: what the file has, and what it may have where it has room for more."""
    present = dict(_paths(values))
    room = {
        "model": system.Config.model_fields,
        "evaluate.metrics": registry.names("metrics"),
        "analyses": registry.names("analyses"),
        **{path: Optim.model_fields for path in present if path.startswith("optim.") and path.count(".") == 1},
    }
    more = {f"{at}.{name}" for at, names in room.items() if isinstance(present.get(at), dict) for name in names}
    return {*present, *more}


def _paths(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        yield f"{before}{key}", value
        if isinstance(value, dict):
            yield from _paths(value, f"{before}{key}.")


def _near(path: str, allowed: Iterable[str]) -> list[str]:
    """The paths worth showing to one who wrote another: with the same last word, of the same section, or all."""
    section, last = path.split(".")[0], path.split(".")[-1]
    same_word = [p for p in allowed if p.split(".")[-1] == last]
    same_section = [p for p in allowed if p.startswith(f"{section}.")]
    return same_word or same_section or list(allowed)
