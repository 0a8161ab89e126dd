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
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from genpipe import paths, registry
from genpipe.document import Document, KeyPath, read
from genpipe.errors import ConfigError, PartError, Problem, UnknownName, nearest
from genpipe.schema import Strict
from genpipe.suitability import counts_of, known_of, lacking, optim_problems, spec_of, unknown, unserved
from genpipe.training.knobs import Count, Images, Optim, Train
from genpipe.validation import DATA_RULE, RULE, data_name_allowed, examined, name_allowed, validated


class Sample(Strict):
    """How many images are drawn for the scores."""

    images: Images = 10000
    batch_size: Images = 500


class Evaluate(Strict):
    """Which scores."""

    metrics: dict[str, dict[str, Any]]


class Knobs(Strict):
    """A pipeline file; `model`, `evaluate.metrics` and `analyses` have schemas beside what they configure."""

    seed: int = Field(ge=0, lt=2**32)
    model: dict[str, Any]
    optim: dict[str, Optim]
    train: Train
    sample: Sample
    evaluate: Evaluate
    analyses: dict[str, dict[str, Any]]


class Entry(Strict):
    """One experiment's line in the index."""

    model: str
    data: str


class Dataset(Strict):
    """What every data set says of itself; the rest is its source's."""

    source: str
    size: Count
    fit: Literal["pad", "crop", "random_crop", "stretch"] = "crop"
    channels: Literal[1, 3] | None = None
    """1 for grey, 3 for colour; as the source has it, if not given."""
    limit: Count | None = None
    """At most so many images of each split are taken, drawn by the seed."""
    flip: bool = False
    """Whether half of the images of each training batch are mirrored."""
    extractors: Annotated[list[str], Field(min_length=1)] | None = None
    """Which extractors look at it, instead of `reference.extractors`; others than those have their default knobs."""
    extractor_steps: Annotated[int, Field(ge=0)] | None = None
    """How long extractors are trained on it, instead of `reference.train.steps`: few, to see that everything runs."""
    skip_broken: bool = False
    """Whether pictures that cannot be read are left out, instead of ending the preparation."""
    binarise: Literal["threshold", "sampled"] | None = None
    """Whether levels become 0 or 255: the nearer one, or 255 with the probability level / 255, drawn once."""
    leave_out: list[str | int] = []
    """The names of classes of which no image is trained on; their test images stay."""
    labelled: Count | None = None
    """How many labels a system that learns from few may know: drawn by the seed, of all classes alike."""


class Reference(Strict):
    """What scores look through; made once for each data set."""

    extractors: dict[str, dict[str, Any]] = Field(min_length=1)
    optim: dict[str, Optim]
    train: Train

    @field_validator("train")
    @classmethod
    def _on_one_device(cls, train: Train) -> Train:
        if (train.devices, train.nodes) != (1, 1):
            raise ValueError("extractors are trained on one device; leave out `devices` and `nodes`")
        return train


class Index(Strict):
    """params.yaml."""

    package: str | None = None  # a person's own, with models, data sources, metrics, analyses, extractors, recipes
    seed: int = Field(ge=0, lt=2**32)
    datasets: dict[str, dict[str, Any]]
    reference: Reference
    experiments: dict[str, Entry]


@dataclass(frozen=True)
class Data:
    """A data set of the index, validated."""

    name: str
    seed: int
    common: Dataset
    source: Strict
    root: Path

    @cached_property
    def opened(self) -> Any:
        """The Source, which reads nothing before it is asked."""
        return registry.load("data", self.common.source)(self.source, self.root)

    def seen(self) -> dict[str, Any]:
        """What `check` notes of the source: it changes with the pictures. Raises DataError if they cannot be read."""
        return {"source": self.common.source, "classes": list(self.opened.classes), "state": self.opened.state()}

    def spec(self) -> Any:
        """The ImageSpec that this data set will have. Raises DataError if the source cannot be read."""
        return spec_of(self)

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
        return {"system": self.model_name, "data": self.data.name, **dumped}

    def key(self, *sections: str, also: object = None) -> str:
        """A short hash of some sections (all, if none is named) and whatever else decides a result."""
        chosen = {k: v for k, v in self.resolved().items() if not sections or k in sections}
        return hashlib.sha256(json.dumps([chosen, also], sort_keys=True).encode()).hexdigest()[:16]


class Project:
    """The index with all that it names, read from a root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.document = read(root / paths.INDEX, str(paths.INDEX))
        self.index: Index = validated(Index, self.document.value, (), self.document)
        self._data: dict[str, Data] = {}
        self._names_allowed("datasets", self.index.datasets, data_name_allowed, DATA_RULE)
        self._names_allowed("experiments", self.index.experiments, name_allowed, RULE)
        registry.use_package(root, self.index.package, self.document)

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
        source = None
        if isinstance(mine.get("source"), str):
            schema = self._load("data", mine["source"], (*at, "source"), document).Config
            source, more = examined(schema, given, at, document)
            problems += more
        if problems or source is None:
            raise ConfigError(problems)
        return Data(name, self.index.seed, common, source, self.root)

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
        system = self._load("models", entry.model, (*at, "model"), self.document)
        if entry.data not in self.index.datasets:
            hint = nearest(entry.data, self.index.datasets)
            raise ConfigError([self.document.problem((*at, "data"), f"'{entry.data}' is not under datasets.{hint}")])
        file = paths.pipeline(name)
        return self.compose(name, entry.model, system, self.data(entry.data), read(self.root / file, str(file)))

    def compose(self, name: str, model_name: str, system: Any, data: Data, document: Document) -> Experiment:
        """An experiment from its parts. Raises ConfigError with everything that is wrong in the document."""
        knobs, problems = examined(Knobs, document.value, (), document)
        model, more = examined(system.Config, document.mapping("model"), ("model",), document)
        metrics, wrong = self._named("metrics", ("evaluate", "metrics"), document)
        analyses, wrong_too = self._named("analyses", ("analyses",), document)
        problems += more + wrong + wrong_too + lacking(system, model_name, knobs, metrics, analyses, document)
        if not problems:
            known = known_of(data, knobs, model)
            problems += unknown(system, model_name, known, data.name, self.document)
            problems += [document.problem(at, told) for at, told in unserved(known, metrics, analyses).items()]
            problems += optim_problems(system, model, data, knobs.optim, document)
        if problems:
            raise ConfigError(dict.fromkeys(problems))
        return Experiment(name, model_name, data, knobs, model, metrics, analyses)

    def unserved(self, system: Any, data: Data, document: Document) -> dict[KeyPath, str]:
        """What to say of each of a document's metrics and analyses that a data set cannot serve. Raises DataError."""
        metrics, _ = self._named("metrics", ("evaluate", "metrics"), document)
        analyses, _ = self._named("analyses", ("analyses",), document)
        knobs, _ = examined(Knobs, document.value, (), document)
        model, _ = examined(system.Config, document.mapping("model"), ("model",), document)
        return unserved(known_of(data, knobs, model), metrics, analyses)

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
        """The validated Config of each named part of an open folder, and what is wrong."""
        configs, problems, called = dict[str, Any](), list[Problem](), dict[Any, str]()
        for name, values in ((str(key), value) for key, value in document.mapping(*at).items()):
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
            raise ConfigError([document.problem(at, str(error))]) from None

    def _names_allowed(self, section: str, given: Mapping[str, Any], allowed: Callable[[str], bool], rule: str) -> None:
        wrong = [n for n in given if not allowed(n)]
        if wrong:
            raise ConfigError(self.document.problem((section, n), f"the name is not allowed: {rule}.") for n in wrong)


def load(root: Path | None = None) -> Project:
    """The project around the current folder."""
    return Project(root or paths.root())
