"""Opens a model by name or path: an experiment, a folder, a model of MLflow."""

import warnings
from functools import partial
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from genpipe import paths, registry
from genpipe.api.models import ExperimentModel, Model
from genpipe.api.tables import result
from genpipe.api.training import defaults
from genpipe.artifacts.models import load_model
from genpipe.config.project import Experiment, Project
from genpipe.errors import CheckpointError, DataError, ModelWarning, UnknownName, UsageError
from genpipe.provenance import run_key

_MLFLOW = "models:/"


def open(  # noqa: A001 - genpipe.open is how it is called
    what: str | PathLike[str], *, root: str | PathLike[str] | None = None, trust: bool = False
) -> Model:
    """Returns a trained model: "vae" is an experiment, "models:/NAME/VERSION" is in MLflow, `Path("folder")` a folder.

    Of an experiment, the project is the one around `root`, or around the current folder; a warning says if its results
    are not of the YAML, data and code that are there now. A folder is one that `Model.save` or `dvc repro` wrote.
    Weights are read as safetensors, and no code that comes with a model runs, unless `trust` allows that of a model
    that genpipe does not have. Raises UnknownName, UsageError, or CheckpointError if the model is damaged.
    """
    if not isinstance(what, str):
        return _folder(Path(what), str(what), trust)
    if what.startswith(_MLFLOW):
        from genpipe.tracking.served import download

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
    return ExperimentModel(project, experiment)


def _doubt(project: Project, experiment: Experiment) -> str | None:
    """What is to be said if the results on disk are not certainly those of what is there now."""
    how = result(project.root, experiment.name).how
    if how is None:
        return None
    try:
        key = run_key(project, experiment)
    except (DataError, CheckpointError) as error:
        return f"whether its results are of the current YAML, data and code cannot be told. {error}"
    if (how.model_extra or {}).get("key") == key:
        return None
    return "its results are not of the current YAML, data and code. Run `dvc repro` to bring them up to date."


def _folder(given: Path, name: str, trust: bool) -> Model:
    folder = given if (given / "model.json").exists() else given / "model"
    remedy = "Give a folder with model.json and model.safetensors, as `Model.save` and `dvc repro` write them."
    model, _ = load_model(folder, kind_of=partial(_kind, folder.resolve(), trust), remedy=remedy)
    model_name = type(model).__module__.rpartition(".")[2]
    return Model(name, model_name, lambda: model, defaults(model_name))


def _kind(folder: Path, trust: bool, name: str) -> Any:
    """The class of a model: genpipe's own, or if that is trusted the one whose code lies beside the model."""
    if name in registry.names("models"):
        return registry.load("models", name)
    bare = name.rpartition(".")[2]
    patterns = (f"*/models/{bare}.py", f"code/*/models/{bare}.py")  # in a project, and beside a model of MLflow
    found = (file for place in folder.parents[:3] for pattern in patterns for file in sorted(place.glob(pattern)))
    code = next(found, None) if bare.isidentifier() else None
    if code is None:
        raise CheckpointError(f"{folder}: {UnknownName(name, 'model', registry.names('models'))}")
    if not trust:
        raise UsageError(
            f"{folder} is a model of '{name}', which genpipe does not have. {code} does, and to open the model would "
            "run that file: read it, and if you trust it, give trust=True."
        )
    return registry.load_file(code)
