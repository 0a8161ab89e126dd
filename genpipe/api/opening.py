"""From a name or a place to a model: an experiment, a folder, a model of MLflow."""

import warnings
from functools import partial
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from genpipe import paths, registry
from genpipe.api.models import Experiment, Model
from genpipe.api.tables import result
from genpipe.api.training import defaults
from genpipe.config import Experiment as Knobs
from genpipe.config import Project
from genpipe.errors import CheckpointError, DataError, ModelWarning, UnknownName, UsageError
from genpipe.modelfiles import load_model
from genpipe.provenance import run_key

_MLFLOW = "models:/"


def open(  # noqa: A001 - genpipe.open is how it is called
    what: str | PathLike[str], *, root: str | PathLike[str] | None = None, trust: bool = False
) -> Model:
    """A trained model: "vae" is an experiment, "models:/NAME/VERSION" a model of MLflow, `Path("folder")` a folder.

    Of an experiment, the project is the one around `root`, or around the current folder; a warning says if its results
    are not of the YAML, data and code that are there now. A folder is one that `Model.save` or `dvc repro` wrote.
    Weights are read as safetensors, and no code that comes with a model runs, unless `trust` allows that of a system
    that genpipe does not have. Raises UnknownName, UsageError, or CheckpointError if the model is damaged.
    """
    if not isinstance(what, str):
        return _folder(Path(what), str(what), trust)
    if what.startswith(_MLFLOW):
        from genpipe.tracking import download

        with TemporaryDirectory(prefix="genpipe-") as scratch:
            return _folder(download(what, Path(scratch)), what, trust)
    return _experiment(what, Project(paths.root(None if root is None else Path(root))))


def _experiment(name: str, project: Project) -> Model:
    if name not in project.index.experiments:
        hint = f' A folder is opened by genpipe.open(Path("{name}")).' if Path(name).exists() else ""
        raise UsageError(f"{UnknownName(name, f'experiment in {paths.INDEX}', project.index.experiments)}{hint}")
    experiment = project.experiment(name)
    if told := _doubt(project, experiment):
        warnings.warn(f"{name}: {told}", ModelWarning, stacklevel=3)
    return Experiment(project, experiment)


def _doubt(project: Project, experiment: Knobs) -> str | None:
    """What is to be said if the results on disk are not certainly those of what is there now."""
    how = result(project.root, experiment.name).how
    if how is None:
        return None
    try:
        key = run_key(project, experiment)
    except DataError as error:
        return f"whether its results are of the current YAML, data and code cannot be told. {error}"
    if (how.model_extra or {}).get("key") == key:
        return None
    return "its results are not of the current YAML, data and code. Run `dvc repro` to bring them up to date."


def _folder(given: Path, name: str, trust: bool) -> Model:
    folder = given if (given / "model.json").exists() else given / "model"
    remedy = "Give a folder with model.json and model.safetensors, as `Model.save` and `dvc repro` write them."
    model, _ = load_model(folder, kind_of=partial(_kind, folder.resolve(), trust), remedy=remedy)
    system = type(model).__module__.rpartition(".")[2]
    return Model(name, system, lambda: model, defaults(system))


def _kind(folder: Path, trust: bool, system: str) -> Any:
    """The class of a system: genpipe's own, or if that is trusted the one whose code lies beside the model."""
    if system in registry.names("models"):
        return registry.load("models", system)
    places = [place / code / "models" / f"{system}.py" for place in folder.parents[:3] for code in _CODE]
    code = next((file for file in places if system.isidentifier() and file.is_file()), None)
    if code is None:
        raise CheckpointError(f"{folder}: {UnknownName(system, 'system', registry.names('models'))}")
    if not trust:
        raise UsageError(
            f"{folder} is a model of '{system}', which genpipe does not have. {code} does, and to open the model would "
            "run that file: read it, and if you trust it, give trust=True."
        )
    return registry.load_file(code)


_CODE = ("genpipe", "code/genpipe")
"""Where code lies in a project, and beside a model of MLflow."""
