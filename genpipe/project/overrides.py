"""The knobs that an experiment has or may have, by dotted path."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from genpipe import registry
from genpipe.config.document import parse
from genpipe.config.renamed import new_key
from genpipe.config.schemas import knobs_of
from genpipe.config.training import Optim
from genpipe.errors import UnknownName, UsageError
from genpipe.project.editing import put
from genpipe.schema import Strict

_OPEN = {"evaluate.metrics": "metrics", "analyses": "analyses"}
"""The mappings whose keys are the files of a folder."""


def apply_overrides(text: str, edits: Iterable[tuple[str, str]], model_class: Any) -> str:
    """Returns a pipeline text with some knobs changed to values given as YAML. Raises UnknownName or ConfigError."""
    for path, value in edits:
        allowed = _knobs(parse(text).value, model_class, path)
        if path not in allowed:
            _refuse_old(path)
            raise UnknownName(path, "knob", _near(path, allowed))
        text = put(text, _keys(path), value)
    return text


def _keys(path: str) -> tuple[str, ...]:
    """The keys of a dotted path; that of a part may have its package before it, and be "lab.flow"."""
    for at, kind in _OPEN.items():
        package, _, rest = path.removeprefix(f"{at}.").partition(".")
        if path.startswith(f"{at}.") and rest and package in registry.used().folders(kind):
            name, *knobs = rest.split(".")
            return (*at.split("."), f"{package}.{name}", *knobs)
    return tuple(path.split("."))


def _refuse_old(path: str) -> None:
    """Raises UsageError if a key on the way is called something else now."""
    keys = path.split(".")
    for end in range(1, len(keys) + 1):
        if new := new_key(keys[:end]):
            raise UsageError(f"`{path}` is now `{'.'.join([*keys[: end - 1], new, *keys[end:]])}`.")


def _knobs(values: Mapping[str, Any], model_class: Any, wanted: str) -> set[str]:
    """Every path that may be set: what the file has, and what it may have where it has room for more.

    Of metrics and analyses only the one that is wanted is looked into.
    """
    present = dict(_paths(values))
    room = {*_fields(knobs_of(model_class), ""), *_fields(model_class.Config, "model.")}
    phases = [path for path in present if path.startswith("optim.") and path.count(".") == 1]
    room |= {path for phase in phases for path in _fields(Optim, f"{phase}.")}
    for at, kind in _OPEN.items():
        room |= {f"{at}.{name}" for name in registry.names(kind)}
        keys, depth = _keys(wanted), at.count(".") + 1
        name = keys[depth] if wanted.startswith(f"{at}.") else ""
        if len(registry.used().where(kind, name)) == 1:
            room |= {f"{at}.{name}", *_fields(registry.load(kind, name).Config, f"{at}.{name}.")}
    return {*present, *(path for path in room if _has_room(present, path))}


def _paths(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        yield f"{before}{key}", value
        if isinstance(value, dict):
            yield from _paths(value, f"{before}{key}.")


def _fields(schema: type[Strict], before: str) -> set[str]:
    """The paths of a schema's knobs, and of those of the schemas in it."""
    found = set()
    for name, field in schema.model_fields.items():
        found |= {f"{before}{name}", *(p for s in _schemas(field.annotation) for p in _fields(s, f"{before}{name}."))}
    return found


def _schemas(annotation: Any) -> list[type[Strict]]:
    """The schemas of which a knob may be, where it is a mapping: of `Body | None` it is Body."""
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return [annotation]
    if getattr(annotation, "__origin__", None) in (dict, list, tuple):
        return []
    return [schema for part in get_args(annotation) for schema in _schemas(part)]


def _has_room(present: Mapping[str, Any], path: str) -> bool:
    """Whether everything around a path is a mapping, or not there yet."""
    words = path.split(".")
    around = (".".join(words[:n]) for n in range(1, len(words)))
    return all(isinstance(present.get(at, {}), dict) for at in around)


def _near(path: str, allowed: Iterable[str]) -> list[str]:
    """The paths worth showing to one who wrote another: with the same last word, of the same section, or all."""
    section, last = path.split(".")[0], path.split(".")[-1]
    same_word = [p for p in allowed if p.split(".")[-1] == last]
    same_section = [p for p in allowed if p.startswith(f"{section}.")]
    return same_word or same_section or list(allowed)
