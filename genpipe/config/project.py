"""From YAML to validated experiments, with file, line and nearest match for whatever is wrong.

`params.yaml` is the index (seed, data sets, one line an experiment); `pipelines/<name>.yaml` holds the knobs of one.
Everything that is wrong is reported at once.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from genpipe import paths, registry
from genpipe.config import prerequisites
from genpipe.config.compatibility import (
    counts_of,
    dataset_info_of,
    missing_capabilities,
    optim_problems,
    spec_of,
    unmet_fields,
    unsupported,
)
from genpipe.config.datasets import Dataset
from genpipe.config.derivations import field_name
from genpipe.config.document import Document, KeyPath, read
from genpipe.config.renamed import new_key
from genpipe.config.schemas import Index, Knobs, knobs_of
from genpipe.config.validation import DATA_RULE, RULE, data_name_allowed, examined, name_allowed, validated
from genpipe.errors import ConfigError, PartError, Problem, UnknownName, nearest
from genpipe.packages import Packages, refusal
from genpipe.schema import Strict


@dataclass(frozen=True)
class Data:
    """A data set of the index, validated."""

    name: str
    seed: int
    common: Dataset
    source: Strict
    derivations: Mapping[str, Strict]
    root: Path
    document: Document
    """Where it is written."""

    @cached_property
    def opened(self) -> Any:
        """The Source, which reads nothing before it is asked."""
        return registry.load("data", self.common.source)(self.source, self.root)

    def source_state(self) -> dict[str, Any]:
        """What `check` notes of the source: it changes with the pictures. Raises DataError if they cannot be read."""
        return {"source": self.common.source, "classes": list(self.opened.classes), "state": self.opened.state()}

    def spec(self) -> Any:
        """The DataSpec that this data set will have.

        Raises DataError if the source cannot be read, and ConfigError if a field cannot be made of its images.
        """
        return spec_of(self)

    @property
    def random_fields(self) -> set[str]:
        """The fields that are drawn anew for each training batch, so that training images have none on the disk."""
        return {field_name(name) for name in self.derivations if registry.load("derivations", name).random}

    @cached_property
    def counts(self) -> Any:
        """How many images of each class are in each split, or None: see `counts_of`. Raises DataError."""
        return counts_of(self)


@dataclass(frozen=True)
class Experiment:
    """One experiment, validated and complete."""

    name: str
    model_name: str
    data: Data
    knobs: Knobs
    model: Strict
    metrics: Mapping[str, Strict]
    analyses: Mapping[str, Strict]

    def resolved(self) -> dict[str, Any]:
        """Every knob with its value, defaults written out; ready for JSON."""
        dumped = self.knobs.model_dump(mode="json")
        dumped["model"] = self.model.model_dump(mode="json")
        dumped["evaluate"]["metrics"] = {k: v.model_dump(mode="json") for k, v in self.metrics.items()}
        dumped["analyses"] = {k: v.model_dump(mode="json") for k, v in self.analyses.items()}
        return {"model_name": self.model_name, "data": self.data.name, **dumped}

    def key(self, *sections: str, also: object = None) -> str:
        """A short hash of some sections (all, if none is named) and whatever else decides a result."""
        chosen = {k: v for k, v in self.resolved().items() if not sections or k in sections}
        return hashlib.sha256(json.dumps([chosen, also], sort_keys=True).encode()).hexdigest()[:16]


def _use_package(root: Path, own: str | None, document: Document) -> None:
    """Has names mean the files of a project's own package, too. Raises ConfigError if it cannot be, or is not there."""
    if root.resolve() != registry.used().root:
        registry.use(Packages(root.resolve()))  # what another project has is not in the way
    why = own and refusal(own, root)
    if own and not why and not (root / own).is_dir():
        why = f"there is no folder {own}/ in the project: make it, or take the line out."
    if why:
        raise ConfigError([document.problem(("package",), why)])
    registry.use(Packages(root.resolve(), own))


class Project:
    """The index with all that it names, read from a root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.document = read(root / paths.INDEX, str(paths.INDEX))
        self.index: Index = validated(Index, self.document.value, (), self.document)
        self._data: dict[str, Data] = {}
        self._names_allowed("datasets", self.index.datasets, data_name_allowed, DATA_RULE)
        self._names_allowed("experiments", self.index.experiments, name_allowed, RULE)
        _use_package(root, self.index.package, self.document)

    def data(self, name: str) -> Data:
        """A data set of the index. Raises UnknownName or ConfigError."""
        if name not in self.index.datasets:
            raise UnknownName(name, f"data set in {paths.INDEX}", self.index.datasets)
        if name not in self._data:
            self._data[name] = self.dataset(name, self.index.datasets[name], self.document)
        return self._data[name]

    def with_dataset(self, name: str, knobs: Mapping[str, Any]) -> "Project":
        """A project that also has this data set; on the disk all stays as it is."""
        other = copy(self)
        other.index = self.index.model_copy(update={"datasets": {**self.index.datasets, name: dict(knobs)}})
        other._data = {}
        return other

    def dataset(self, name: str, knobs: Mapping[str, Any], document: Document) -> Data:
        """A data set with these knobs. Raises ConfigError with what is wrong with them."""
        at, given = ("datasets", name), dict(knobs)
        mine = {k: given.pop(k) for k in list(given) if k in Dataset.model_fields}
        common, problems = examined(Dataset, mine, at, document)
        derive = mine.get("derive")
        derivations, wrong = self._configs(
            "derivations", derive if isinstance(derive, dict) else {}, (*at, "derive"), document
        )
        problems += wrong
        source = None
        if isinstance(mine.get("source"), str):
            schema = self._load("data", mine["source"], (*at, "source"), document).Config
            source, more = examined(schema, given, at, document)
            problems += more
        if problems or source is None:
            raise ConfigError(problems)
        return Data(name, self.index.seed, common, source, derivations, self.root, document)

    def extractors(self, data: str) -> dict[str, Strict]:
        """The extractors that look at a data set, with their knobs. Raises ConfigError."""
        configs, problems = self._named("extractors", ("reference", "extractors"), self.document)
        wanted = self.data(data).common.extractors
        for name in set(wanted or []) - set(self.index.reference.extractors):
            at = ("datasets", data, "extractors")
            kind = self._load("extractors", name, at, self.document)
            configs[name], wrong = examined(kind.Config, {}, at, self.document)
            problems += wrong
        if problems:
            raise ConfigError(problems)
        return {name: configs[name] for name in wanted or self.index.reference.extractors}

    def experiment(self, name: str) -> Experiment:
        """An experiment of the index. Raises UnknownName, or ConfigError with everything that is wrong."""
        if name not in self.index.experiments:
            raise UnknownName(name, f"experiment in {paths.INDEX}", self.index.experiments)
        entry, at = self.index.experiments[name], ("experiments", name)
        model_class = self.model_class(name)
        if entry.data not in self.index.datasets:
            hint = nearest(entry.data, self.index.datasets)
            raise ConfigError([self.document.problem((*at, "data"), f"'{entry.data}' is not under datasets.{hint}")])
        file = paths.pipeline(name)
        return self.compose(name, entry.model, model_class, self.data(entry.data), read(self.root / file, str(file)))

    def model_class(self, name: str) -> Any:
        """The class of the model of an experiment of the index. Raises ConfigError."""
        at = ("experiments", name, "model")
        return self._load("models", self.index.experiments[name].model, at, self.document)

    def compose(self, name: str, model_name: str, model_class: Any, data: Data, document: Document) -> Experiment:
        """An experiment from its parts. Raises ConfigError with everything that is wrong in the document."""
        knobs, problems = examined(knobs_of(model_class), document.value, (), document)
        model, more = examined(model_class.Config, document.mapping("model"), ("model",), document)
        metrics, wrong = self._named("metrics", ("evaluate", "metrics"), document)
        analyses, wrong_too = self._named("analyses", ("analyses",), document)
        problems += (
            more + wrong + wrong_too + missing_capabilities(model_class, model_name, knobs, metrics, analyses, document)
        )
        if not problems:
            known = dataset_info_of(data, knobs, model)
            problems += (unmet := unmet_fields(model_class.needed_fields(model), model_name, data, self.document))
            problems += [document.problem(at, told) for at, told in unsupported(known, metrics, analyses).items()]
            if not unmet:  # a model may build on the fields that it needs
                problems += optim_problems(model_class, model, data, knobs.optim, document)
            problems += prerequisites.problems(self, name, prerequisites.declared(model_class, model), data, document)
        if problems:
            raise ConfigError(dict.fromkeys(problems))
        return Experiment(name, model_name, data, knobs, model, metrics, analyses)

    def unsupported(self, model_class: Any, data: Data, document: Document) -> dict[KeyPath, str]:
        """What to say of each of a document's metrics and analyses that a data set cannot serve. Raises DataError."""
        metrics, _ = self._named("metrics", ("evaluate", "metrics"), document)
        analyses, _ = self._named("analyses", ("analyses",), document)
        knobs, _ = examined(knobs_of(model_class), document.value, (), document)
        model, _ = examined(model_class.Config, document.mapping("model"), ("model",), document)
        return unsupported(dataset_info_of(data, knobs, model), metrics, analyses)

    def check(self) -> list[Experiment]:
        """Every experiment of the index. Raises one ConfigError with all that is wrong in all files."""
        _, problems = self._named("extractors", ("reference", "extractors"), self.document)
        found = []
        parts: list[tuple[Callable[[str], Any], str]] = [(self.extractors, name) for name in self.index.datasets]
        for part, name in [*parts, *((self.experiment, name) for name in self.index.experiments)]:
            try:
                found.append(part(name))
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(dict.fromkeys(problems))
        return [part for part in found if isinstance(part, Experiment)]

    def _named(self, kind: str, at: KeyPath, document: Document) -> tuple[dict[str, Any], list[Problem]]:
        """The validated Config of each part of an open folder that is named at a place, and what is wrong."""
        return self._configs(kind, document.mapping(*at), at, document)

    def _configs(
        self, kind: str, given: Mapping[Any, Any], at: KeyPath, document: Document
    ) -> tuple[dict[str, Any], list[Problem]]:
        """The validated Config of each of these parts of an open folder, and what is wrong."""
        configs, problems, called = dict[str, Any](), list[Problem](), dict[Any, str]()
        for name, values in ((str(key), value) for key, value in given.items()):
            try:
                part = self._load(kind, name, (*at, name), document)
            except ConfigError as error:
                problems += error.problems
                continue
            configs[name], wrong = examined(part.Config, values, (*at, name), document)
            problems += wrong
            if (other := called.setdefault(part, name)) != name:
                problems.append(document.problem((*at, name), f"'{name}' and '{other}' are the same: take one out."))
        return configs, problems

    @staticmethod
    def _load(kind: str, name: str, at: KeyPath, document: Document) -> Any:
        try:
            return registry.load(kind, name)
        except (UnknownName, PartError) as error:
            new = new_key(at) if isinstance(error, UnknownName) else None
            raise ConfigError([document.problem(at, f"`{name}` is now `{new}`." if new else str(error))]) from None

    def _names_allowed(self, section: str, given: Mapping[str, Any], allowed: Callable[[str], bool], rule: str) -> None:
        wrong = [n for n in given if not allowed(n)]
        if wrong:
            raise ConfigError(self.document.problem((section, n), f"the name is not allowed: {rule}.") for n in wrong)


def load_project(root: Path | None = None) -> Project:
    """The project around the current folder."""
    return Project(root or paths.root())
