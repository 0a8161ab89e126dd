"""Data sets of a project: one line of the index, and the files that DVC has to watch."""

import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from genpipe import paths, registry
from genpipe.config import wiring
from genpipe.config.document import Document, KeyPath, parse
from genpipe.config.project import Project
from genpipe.config.validation import DATA_RULE, data_name_allowed, name_allowed
from genpipe.errors import ConfigError, ExistsError, GenpipeError, Problem, UnknownName, Unsuitable, UsageError
from genpipe.outputs import around, of_data, of_project, refuse_foreign
from genpipe.project.editing import put, take, word
from genpipe.project.git import committed
from genpipe.project.grid import settings as split
from genpipe.project.journal import read
from genpipe.project.plan import Change, Plan

SMOKE_STEPS = 20
"""The training steps of extractors in a smoke test."""
_DEPS = ("stages", "check", "deps")
"""The place in dvc.yaml of the files that DVC watches."""


def plan_data(project: Project, name: str, knobs: Mapping[str, Any], *, force: bool = False) -> Plan:
    """Returns the plan that adds the data set `name` to the project; writes nothing.

    Raises UsageError, ConfigError, DataError if a person's own files cannot be read, and ExistsError if the name is
    taken by another data set and `force` does not allow to replace that.
    """
    if not data_name_allowed(name):
        raise UsageError(f"a data set cannot be called '{name}': {DATA_RULE}.")
    present = project.index.datasets.get(name)
    if present not in (None, knobs) and not force:
        raise ExistsError(
            f"datasets.{name} of {paths.INDEX} would be overwritten. Take another name, or replace it with --force."
        )
    document = Document(f"data set '{name}'", {"datasets": {name: dict(knobs)}})
    data = project.dataset(name, knobs, document)
    if inside := _in_an_output(project, name, data.opened.watched_paths, document):
        raise ConfigError(inside)
    if data.opened.watched_paths:
        data.spec()
    refuse_foreign(project.root, of_data(name), "Move it elsewhere, or give the data set another name.")
    return Plan(project.root, (_index(project, name, knobs), _wiring(project, name, data.opened.watched_paths)))


def data_removal(project: Project, name: str, *, outputs: bool = False, force: bool = False) -> Plan:
    """Returns the plan that removes a data set: its index line, its watched files, and its outputs.

    Raises UnknownName, and ExistsError if experiments use it, or if something would be lost and `force` does not allow
    that: a line that git does not hold as it is, or what no stage has made.
    """
    made = data_outputs(project.root, name) if name_allowed(name) else []
    listed = name in project.index.datasets
    if not listed and not made:
        raise UnknownName(name, f"data set in {paths.INDEX}", project.index.datasets)
    if users := [one for one, entry in project.index.experiments.items() if entry.data == name]:
        raise ExistsError(f"{', '.join(users)} would be without data. Remove them first: genpipe remove {users[0]}.")
    if listed and not force and not _in_git(project, name):
        raise ExistsError(
            f"datasets.{name} of {paths.INDEX} would be lost: git does not hold it as it is now. Commit it, or remove "
            "it all the same with --force (with --dry-run, to see what would change)."
        )
    if outputs and not force:
        refuse_foreign(project.root, of_data(name), "Move it elsewhere, or delete it, too, with --force.")
    text = read(project.root / paths.INDEX) or ""
    index = Change(project.root, paths.INDEX, text, take(text, ("datasets", name)) if listed else text)
    return Plan(project.root, (index, _wiring(project, name, ())), outputs=tuple(made) if outputs else ())


def data_outputs(root: Path, name: str) -> list[Path]:
    """Returns the outputs of a data set's stages, relative to the root."""
    return [place.path for place in of_data(name) if (root / place.path).exists()]


def _in_git(project: Project, name: str) -> bool:
    """Whether the last commit has the data set just so."""
    text = committed(project.root, paths.INDEX)
    try:
        return text is not None and parse(text).mapping("datasets").get(name) == project.index.datasets[name]
    except ConfigError:
        return False


def suited(project: Project, name: str, knobs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the knobs, with `extractors: [pixels]` if none are named and a trained one does not suit the data.

    Raises what `plan_data` raises of knobs that are wrong.
    """
    from genpipe.interfaces.phases import Trainable

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
    """Returns the project with a data set of these knobs, if it has none of that name, and its new index."""
    if name in project.index.datasets or knobs is None:
        text = read(project.root / paths.INDEX) or ""
        return project, Change(project.root, paths.INDEX, text, text)
    fitting = suited(project, name, knobs)
    return project.with_dataset(name, fitting), _index(project, name, fitting)


def sized(project: Project, name: str, profile: str, index: Change) -> tuple[Project, Change, str | None]:
    """Returns the project and its index with a data set's extractors trained as long as a profile allows.

    Only where the profile is for trying things out and no experiment of another kind looks through them; and what is
    to be said of how long they are trained.
    """
    taught, common = _taught(project, name), project.data(name).common
    if not taught:
        return project, index, None
    told = f"The {' and '.join(taught)} of {name}, through which scores look, "
    if common.extractor_steps is not None:
        told += f"is trained {common.extractor_steps} steps alone (datasets.{name}.extractor_steps)"
        return project, index, None if profile == "smoke" else f"{told}: take that out for scores that mean something."
    if profile != "smoke":
        return project, index, None
    full = project.index.reference.train.steps
    if full <= SMOKE_STEPS:
        return project, index, None
    if any(entry.data == name for entry in project.index.experiments.values()):
        return (
            project,
            index,
            f"{told}is trained {full:,} steps, once for all experiments on {name}, whatever the profile.",
        )
    after = put(index.after or "", ("datasets", name, "extractor_steps"), str(SMOKE_STEPS))
    knobs = {**project.index.datasets[name], "extractor_steps": SMOKE_STEPS}
    told += f"is trained {SMOKE_STEPS} steps, as the profile is smoke: scores only show that everything runs "
    return project.with_dataset(name, knobs), replace(index, after=after), f"{told}(datasets.{name}.extractor_steps)."


def _taught(project: Project, name: str) -> list[str]:
    """The extractors that are trained on a data set."""
    from genpipe.interfaces.phases import Trainable

    return [e for e in project.extractors(name) if issubclass(registry.load("extractors", e), Trainable)]


def verify_datasets(project: Project) -> None:
    """Raises ConfigError with the data sets that are wrong, or whose files DVC does not watch."""
    watched = wiring.stage(project.root, "check").deps
    problems: list[Problem] = []
    for name in project.index.datasets:
        try:
            own = project.data(name).opened.watched_paths
        except ConfigError as error:
            problems += error.problems
            continue
        for path in own:
            problems += unwatched(project.root, _DEPS, watched, path, f"data set '{name}'")
        problems += _in_an_output(project, name, own, project.document)
    if problems:
        raise ConfigError(problems)


def unwatched(root: Path, at: KeyPath, deps: Collection[str], path: str | None, whose: str) -> list[Problem]:
    """Yields a problem if a user's file is missing in the dependencies of the stage that has to notice changes."""
    if path is None or path in deps:
        return []
    message = f"'{path}' of {whose} is missing, so that DVC would not notice a change: add it."
    return [wiring.document_of(root).problem(at, message)]


def _in_an_output(project: Project, name: str, own: Collection[str], document: Document) -> list[Problem]:
    """The problems, if a person's own files lie where a stage writes, or around that."""
    outputs = list(of_project({**project.index.datasets, name: None}, project.index.experiments))
    places = {path: place for path in own if (place := around(Path(path), project.root, outputs))}
    return [
        document.problem(
            ("datasets", name, "path"),
            f"'{path}' overlaps with {place}, where a stage writes and DVC deletes what is there. Move your files.",
        )
        for path, place in places.items()
    ]


def settings(sets: Iterable[str]) -> dict[str, Any]:
    """Returns the knobs given as `key=value`, the value in YAML. Raises UsageError or ConfigError."""
    return {key: parse(value, f"--set {key}").value for key, value in split(sets, "--set")}


def relative(path: str, root: Path) -> str:
    """Returns a path to store: relative to the root if it is in the project, else as given.

    One that leads out of the project is absolute, if it began at another folder than the root.
    """
    whole = Path(os.path.normpath(Path.cwd() / paths.expanded(path)))
    for there in (whole, Path(os.path.realpath(whole))):
        if there.is_relative_to(root.resolve()):
            return str(there.relative_to(root.resolve()))
    as_given = Path.cwd().resolve() == root.resolve() or path.startswith("~") or Path(path).is_absolute()
    return path if as_given else str(whole)


def _index(project: Project, name: str, knobs: Mapping[str, Any]) -> Change:
    before = read(project.root / paths.INDEX) or ""
    if project.index.datasets.get(name) == knobs:
        return Change(project.root, paths.INDEX, before, before)
    return Change(project.root, paths.INDEX, before, put(before, ("datasets", name), _flow(knobs)))


def _wiring(project: Project, name: str, watched: Collection[str]) -> Change:
    """The wiring, in which the check depends on a person's own files: those of a data set now, and not those before."""
    root = project.root
    before = read(root / paths.WIRING) or ""
    deps = wiring.stage(root, "check").deps
    others = {path for other in project.index.datasets if other != name for path in _watched(project, other)}
    old = set(_watched(project, name)) - others - set(watched)
    wanted = tuple(dict.fromkeys([*(dep for dep in deps if dep not in old), *watched]))
    if wanted == deps:
        return Change(root, paths.WIRING, before, before)
    return Change(root, paths.WIRING, before, put(before, _DEPS, listed(wanted)))


def listed(deps: Iterable[str]) -> str:
    """Returns paths as a YAML list."""
    return f"[{', '.join(map(_scalar, deps))}]"


def _watched(project: Project, name: str) -> tuple[str, ...]:
    """The paths of a data set's own files; none if there are none, or nothing valid is known of it."""
    try:
        return project.data(name).opened.watched_paths
    except GenpipeError:
        return ()


def _flow(knobs: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {_scalar(value)}" for key, value in knobs.items()) + "}"


def _scalar(value: Any) -> str:
    """A value inside { } or [ ], with quotes where YAML needs them."""
    if isinstance(value, dict):
        return _flow(value)
    if not isinstance(value, str):
        return json.dumps(value)
    plain = value.replace("/", "").replace("-", "").replace("_", "").replace(".", "").isalnum() and value.isascii()
    return word(value) if plain else json.dumps(value, ensure_ascii=False)
