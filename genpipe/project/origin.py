"""Where each value of an experiment comes from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from genpipe import paths
from genpipe.config.document import Document, KeyPath, read
from genpipe.config.project import Project

DEFAULT = "default"
_INDEXED = {"model_name": "model", "data": "data"}
"""The values from the experiment's index line, and their keys."""


@dataclass(frozen=True)
class Knob:
    """One value of an experiment, and where it was given: pipelines/vae.yaml:9, or "default"."""

    path: KeyPath
    value: Any
    origin: str


def knobs(project: Project, name: str) -> list[Knob]:
    """Returns every value of a resolved experiment, in order. Raises UnknownName, or ConfigError with all errors."""
    resolved = project.experiment(name).resolved()
    file = paths.pipeline(name)
    document = read(project.root / file, str(file))
    return [Knob(path, value, _origin(project, name, document, path)) for path, value in _leaves(resolved)]


def _leaves(value: Mapping[str, Any], before: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from _leaves(inner, (*before, key))
        else:
            yield (*before, key), inner


def _origin(project: Project, name: str, document: Document, path: KeyPath) -> str:
    if path[0] in _INDEXED:
        document, path = project.document, ("experiments", name, _INDEXED[str(path[0])])
    return f"{document.file}:{document.lines[path]}" if path in document.lines else DEFAULT
