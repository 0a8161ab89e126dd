"""The stages that a change of files makes DVC run."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from genpipe import paths
from genpipe.config import wiring
from genpipe.config.document import parse
from genpipe.config.project import Experiment

OWN = ("train", "sample", "evaluate")
"""The stages of one experiment, in order."""


def of_data(root: Path, data: str) -> list[str]:
    """Returns the stages of a data set that have not run yet."""
    made = {"prepare": paths.data(data), "reference": paths.reference(data)}
    return [f"{stage}@{data}" for stage, output in made.items() if not (root / output).exists()]


def of_experiment(root: Path, experiment: Experiment, before: str | None, after: str | None) -> list[str]:
    """Returns the stages to run after a change of an experiment's file: the first that reads the change, and the rest.

    `before` is None if nothing that the experiment made before can still hold.
    """
    name = experiment.name
    sections = _sections(root, name)
    old, new = (_values(text) for text in (before, after))
    changed = {key for key in {*old, *new} if repr(old.get(key)) != repr(new.get(key))}
    known = before is not None and (root / paths.scores(name)).exists()
    first = next((n for n, stage in enumerate(OWN) if not known or changed & sections[stage]), len(OWN))
    return [f"{stage}@{name}" for stage in OWN[first:]]


def followers(needs: Mapping[str, Collection[str]], trained: Iterable[str]) -> list[str]:
    """The experiments that train again once others have, directly or not, each after what it needs."""
    found, waiting = dict[str, None](), list(trained)
    while waiting:
        model = str(paths.model(waiting.pop(0)))
        after = [name for name, deps in needs.items() if model in deps]
        for name in after:
            found.pop(name, None)
            found[name] = None
        waiting += after
    return list(found)


def _sections(root: Path, name: str) -> Mapping[str, set[str]]:
    """The sections of a pipeline file that each stage reads, as the wiring has it."""
    file = str(paths.pipeline(name))
    return {stage: set(wiring.stage(root, stage, name).params.get(file) or ()) for stage in OWN}


def _values(text: str | None) -> dict[str, Any]:
    value = parse(text or "").value
    return value if isinstance(value, dict) else {}
