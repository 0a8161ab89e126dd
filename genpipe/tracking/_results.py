"""What the stages left on disk of an experiment, as far as MLflow shows it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from genpipe import paths
from genpipe.config.project import Experiment, Project
from genpipe.errors import GenpipeError
from genpipe.files import read_json
from genpipe.provenance import run_key
from genpipe.running import health
from genpipe.training.callbacks import Row
from genpipe.training.curves import read_curves


@dataclass(frozen=True)
class Results:
    """A trained and scored experiment."""

    scores: Mapping[str, Any]
    """As they are on disk."""
    digest: str
    """Of all that is shown, but the model."""

    @property
    def figures(self) -> dict[str, float]:
        """The figures among the scores."""
        return {name: value for name, value in self.scores.items() if name != "how" and value is not None}


def absent(project: Project, name: str) -> bool:
    """Whether an experiment's model or data are not here, as after cloning a repository that holds its scores."""
    data = paths.data(project.index.experiments[name].data)
    return not all((project.root / path).exists() for path in (data, paths.model(name), paths.curves(name)))


def results(project: Project, experiment: Experiment) -> Results | None:
    """The results of exactly this experiment, or None where those on disk are of an older YAML, data or code.

    Raises GenpipeError if the file of scores is damaged.
    """
    file, name = paths.scores(experiment.name), experiment.name
    scores, key = _scores(project.root / file, file)
    if key != run_key(project, experiment):
        return None
    pictures = sorted((project.root / paths.figures(name)).glob("*"))
    shown = [project.root / path for path in (file, paths.curves(name), paths.score_curves(name))]
    digest = hashlib.sha256("\n".join(warnings(project, experiment)).encode())
    for path in [*shown, *pictures]:
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return Results(scores, digest.hexdigest()[:16])


def curves(project: Project, experiment: Experiment) -> list[Row]:
    """The curves of a finished training."""
    return read_curves(project.root / paths.curves(experiment.name))


def warnings(project: Project, experiment: Experiment) -> list[str]:
    """What looked wrong in the training, the samples and the scores, each once."""
    files = [project.root / paths.timing(stage, experiment.name) for stage in ("sample", "evaluate")]
    noted = [line for file in files if file.exists() for line in read_json(file)["facts"].get("warnings", [])]
    return list(dict.fromkeys([*health.warnings(curves(project, experiment)), *noted]))


def _scores(path: Path, file: Path) -> tuple[dict[str, Any], str]:
    try:
        scores = read_json(path)
        key = scores["how"]["key"]
        wrong = [name for name, value in scores.items() if name != "how" and not _figure(value)]
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise GenpipeError(f"{file} is damaged ({error!r}). Delete it and run `dvc repro`.") from None
    if wrong:
        raise GenpipeError(f"{file} is damaged ({wrong[0]} is no finite number). Delete it and run `dvc repro`.")
    return scores, key


def _figure(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and isfinite(value))
