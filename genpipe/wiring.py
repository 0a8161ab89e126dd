"""dvc.yaml as genpipe reads it: what each stage depends on, and what it writes."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from genpipe import paths
from genpipe.document import Document, read
from genpipe.errors import ConfigError, Problem
from genpipe.files import read_text
from genpipe.schema import Strict
from genpipe.validation import validated

FORMAT = 1
"""Of what dvc.yaml and the scripts in stages/ expect of genpipe, and genpipe of them; dvc.yaml begins with it."""
_FORMAT = re.compile(r"# genpipe's wiring, format (\d{1,9})\b")
Listed = list[str | dict[str, Any]]
"""Paths or keys, some of which have something said of them."""


class _Lenient(Strict):
    """What DVC allows beyond this is DVC's to check."""

    model_config = ConfigDict(extra="ignore")


class Body(_Lenient):
    """What a stage runs, reads and writes."""

    cmd: str | list[str]
    deps: list[str] = []
    params: list[str | dict[str, list[str] | None]] = []
    outs: Listed = []
    metrics: Listed = []
    plots: Listed = []


class Single(Body):
    """A stage that there is once."""


class Each(_Lenient):
    """A stage that there is for every key of a section of params.yaml."""

    foreach: Annotated[str, Field(pattern=r"^\$\{\w+\}$")]
    do: Body


class Stages(_Lenient):
    """The stages without which there is no pipeline; a person may add others."""

    check: Single
    prepare: Each
    reference: Each
    train: Each
    sample: Each
    evaluate: Each
    report: Single


class Wiring(_Lenient):
    """dvc.yaml."""

    stages: Stages


@dataclass(frozen=True)
class Stage:
    """One stage with its paths and keys as they are for one experiment or data set."""

    name: str
    """As DVC calls it: "report", "train@vae"."""
    command: str
    deps: tuple[str, ...]
    params: Mapping[str, tuple[str, ...] | None]
    """For each YAML file the dotted keys; None: all of it."""
    outs: tuple[str, ...]
    """What DVC removes before the stage runs, metrics and plots included; not what persists."""
    persists: tuple[str, ...]
    """What DVC leaves in its place, for the stage to add to."""


def load(root: Path) -> Wiring:
    """Returns dvc.yaml of a project, validated. Raises ConfigError, also if it is of a newer genpipe."""
    document = document_of(root)
    verify_format(read_text(root / paths.WIRING))
    return validated(Wiring, document.value, (), document)


def verify_format(text: str) -> None:
    """Raises ConfigError if a dvc.yaml is of a newer genpipe."""
    said = _FORMAT.match(text)
    if said and int(said[1]) > FORMAT:
        told = (
            f"the project is of a newer genpipe: its format is {said[1]}, this genpipe knows {FORMAT}. Upgrade genpipe."
        )
        raise ConfigError([Problem(str(paths.WIRING), 1, "", told)])


def document_of(root: Path) -> Document:
    """Returns dvc.yaml of a project with its lines. Raises ConfigError if it is missing or no YAML."""
    return read(root / paths.WIRING, str(paths.WIRING))


def stage(root: Path, name: str, key: str | None = None) -> Stage:
    """Returns a stage, of one experiment or data set if there is one for each. Raises ConfigError."""
    wired = getattr(load(root).stages, name)
    body, values = (wired.do, _values(root, wired.foreach[2:-1], key)) if isinstance(wired, Each) else (wired, {})
    outs = [entry if isinstance(entry, dict) else {entry: {}} for entry in (*body.outs, *body.metrics, *body.plots)]
    kept = {_filled(path, values): (said or {}).get("persist", False) for entry in outs for path, said in entry.items()}
    return Stage(
        name if key is None else f"{name}@{key}",
        _filled(" && ".join([body.cmd] if isinstance(body.cmd, str) else body.cmd), values),
        tuple(_filled(path, values) for path in body.deps),
        _params(body.params, values),
        tuple(path for path, persists in kept.items() if not persists),
        tuple(path for path, persists in kept.items() if persists),
    )


def _values(root: Path, section: str, key: str | None) -> dict[str, str]:
    """What stands for each `${…}`: the key, and the entries of its line in params.yaml."""
    line = read(root / paths.INDEX, str(paths.INDEX)).mapping(section, str(key))
    return {"key": str(key), **{f"item.{name}": str(value) for name, value in line.items()}}


def _params(
    listed: Iterable[str | dict[str, list[str] | None]], values: Mapping[str, str]
) -> dict[str, tuple[str, ...] | None]:
    """The keys by file; one that stands alone is a key of params.yaml."""
    found: dict[str, tuple[str, ...] | None] = {}
    for entry in listed:
        for file, keys in ({str(paths.INDEX): [entry]} if isinstance(entry, str) else entry).items():
            file, more = _filled(file, values), None if keys is None else tuple(_filled(key, values) for key in keys)
            before = found.get(file, ())
            found[file] = None if more is None or before is None else (*before, *more)
    return found


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    return text
