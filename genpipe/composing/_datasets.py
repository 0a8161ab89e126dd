"""New data sets: one line of the index, and what DVC has to watch."""

import json
import os
from collections.abc import Iterable, Mapping
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from genpipe import paths, registry
from genpipe.composing._editing import put, word
from genpipe.composing._grid import settings as split
from genpipe.composing._journal import read
from genpipe.composing._outputs import around, of_data, of_project, refuse_foreign
from genpipe.composing._plan import Change, Plan
from genpipe.config import RULE, Project, name_allowed
from genpipe.document import Document, KeyPath, parse
from genpipe.document import read as read_document
from genpipe.errors import ConfigError, ExistsError, Problem, Unsuitable, UsageError

_DEPS = ("stages", "check", "deps")
"""Where the wiring says what DVC watches."""


def plan_data(project: Project, name: str, knobs: Mapping[str, Any], *, force: bool = False) -> Plan:
    """What makes `name` a data set of the project; writes nothing.

    Raises UsageError, ConfigError, DataError if a person's own files cannot be read, and ExistsError if the name is
    taken by another data set and `force` does not allow to replace that.
    """
    if not name_allowed(name):
        raise UsageError(f"a data set cannot be called '{name}': {RULE}.")
    present = project.index.datasets.get(name)
    if present not in (None, knobs) and not force:
        raise ExistsError(
            f"datasets.{name} of {paths.INDEX} would be overwritten. Take another name, or replace it with --force."
        )
    document = Document(f"data set '{name}'", {"datasets": {name: dict(knobs)}})
    data = project.dataset(name, knobs, document)
    if inside := _in_an_output(project, name, data.opened.watched, document):
        raise ConfigError(inside)
    if data.opened.watched:
        data.spec()
    refuse_foreign(project.root, of_data(name), "Move it elsewhere, or give the data set another name.")
    return Plan(project.root, (_index(project, name, knobs), _wiring(project.root, data.opened.watched)))


def suited(project: Project, name: str, knobs: Mapping[str, Any]) -> dict[str, Any]:
    """The knobs, with `extractors: [pixels]` if they name none and one that is to be trained does not suit the data.

    Raises what `plan_data` raises of knobs that are wrong.
    """
    from genpipe.interfaces import Trainable

    data = project.dataset(name, knobs, Document(f"data set '{name}'", {"datasets": {name: dict(knobs)}}))
    kinds = {e: registry.load("extractors", e) for e in project.index.reference.extractors}
    trained = {e: kind for e, kind in kinds.items() if issubclass(kind, Trainable)}
    try:
        for extractor, kind in trained.items() if data.common.extractors is None else ():
            registry.outline(kind, kind.Config(**project.index.reference.extractors[extractor]), data.spec())
    except Unsuitable:
        return {**knobs, "extractors": ["pixels"]}
    return dict(knobs)


def added(project: Project, name: str, knobs: Mapping[str, Any] | None) -> tuple[Project, Change]:
    """The project with a data set of these knobs, if it has none of that name, and the index that says so."""
    if name in project.index.datasets or knobs is None:
        text = read(project.root / paths.INDEX) or ""
        return project, Change(project.root, paths.INDEX, text, text)
    fitting = suited(project, name, knobs)
    return project.with_dataset(name, fitting), _index(project, name, fitting)


def verify_datasets(project: Project) -> None:
    """Raises ConfigError with the data sets that are wrong, or whose files DVC does not watch."""
    wiring = read_document(project.root / paths.WIRING, str(paths.WIRING))
    problems: list[Problem] = []
    for name in project.index.datasets:
        try:
            path = project.data(name).opened.watched
        except ConfigError as error:
            problems += error.problems
            continue
        problems += unwatched(wiring, _DEPS, path, f"data set '{name}'")
        problems += _in_an_output(project, name, path, project.document)
    if problems:
        raise ConfigError(problems)


def unwatched(wiring: Document, deps: KeyPath, path: str | None, whose: str) -> list[Problem]:
    """The problem, if a person's own file is not among the dependencies of the stage that has to notice a change."""
    if path is None or path in reduce(getitem, deps, wiring.value):
        return []
    return [wiring.problem(deps, f"'{path}' of {whose} is missing, so that DVC would not notice a change: add it.")]


def _in_an_output(project: Project, name: str, path: str | None, document: Document) -> list[Problem]:
    """The problem, if a person's own files lie where a stage writes, or around that."""
    names = {**project.index.datasets, name: None}
    place = around(Path(path), project.root, of_project(names, project.index.experiments)) if path else None
    if place is None:
        return []
    message = f"'{path}' overlaps with {place}, where a stage writes and DVC deletes what is there. Move your files."
    return [document.problem(("datasets", name, "path"), message)]


def settings(sets: Iterable[str]) -> dict[str, Any]:
    """The knobs that are given as `key=value`, the value in YAML. Raises UsageError or ConfigError."""
    return {key: parse(value, f"--set {key}").value for key, value in split(sets, "--set")}


def relative(path: str, root: Path) -> str:
    """A path as it is to be stored: as given, but a relative one begins at the root, not at the current folder."""
    given, here = Path(path), Path.cwd().resolve()
    if given.is_absolute() or path.startswith("~") or here == root.resolve() or not given.exists():
        return path
    return os.path.relpath(given, root)


def _index(project: Project, name: str, knobs: Mapping[str, Any]) -> Change:
    before = read(project.root / paths.INDEX) or ""
    if project.index.datasets.get(name) == knobs:
        return Change(project.root, paths.INDEX, before, before)
    return Change(project.root, paths.INDEX, before, put(before, ("datasets", name), _flow(knobs)))


def _wiring(root: Path, watched: str | None) -> Change:
    """The wiring, in which the check depends on a person's own files."""
    before = read(root / paths.WIRING) or ""
    deps = read_document(root / paths.WIRING, str(paths.WIRING)).value["stages"]["check"]["deps"]
    if watched is None or watched in deps:
        return Change(root, paths.WIRING, before, before)
    listed = ", ".join(map(_scalar, [*deps, watched]))
    return Change(root, paths.WIRING, before, put(before, _DEPS, f"[{listed}]"))


def _flow(knobs: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {_scalar(value)}" for key, value in knobs.items()) + "}"


def _scalar(value: Any) -> str:
    """A value inside { } or [ ], with quotes where YAML needs them."""
    if not isinstance(value, str):
        return json.dumps(value)
    plain = value.replace("/", "").replace("-", "").replace("_", "").replace(".", "").isalnum() and value.isascii()
    return word(value) if plain else json.dumps(value, ensure_ascii=False)
