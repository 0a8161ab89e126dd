"""What MLflow keeps of a finished model: the model itself, ready to load and to serve."""

from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import LoggedModelStatus, Run
from mlflow.exceptions import MlflowException
from pydantic import BaseModel, Field

from genpipe import registry
from genpipe.errors import GenpipeError
from genpipe.packages import Packages
from genpipe.tracking.store import address, brief, connection, present

NAME = "model"
"""What a run calls its model."""
_PLACE = Path("artifacts") / NAME
"""Where the folder that was logged lies among the files of a model."""
Images = list[list[list[list[int]]]]
"""uint8 [n c h w], as nested lists."""
MOST_IMAGES = 1000
"""In one answer, which has a word of text for every number of an image."""


class SampleRequest(BaseModel):
    """One row of what a served model is asked for."""

    n: int = Field(default=1, ge=1, le=MOST_IMAGES)
    """Images; of a model that needs conditions, of each of them."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    options: dict[str, Any] = {}
    """Those that the model has under `sample`, by name."""
    conditions: dict[str, list[Any]] = {}
    """What images are to be made of, by name, a row for each, as the data set stores it: see `answer`."""


class ServedModel(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined]
    """Samples, translations and edited images of a model, from MLflow."""

    def load_context(self, context: Any) -> None:
        """Reads the model from the run's artifacts."""
        from genpipe.artifacts.models import load_model

        if own := (context.model_config or {}).get("package"):
            found = find_spec(own)
            assert found is not None, "it lies beside the model"
            registry.use(Packages(Path(next(iter(found.submodule_search_locations or ()))).parent, own))
        self.model, _ = load_model(Path(context.artifacts["model"]))

    def predict(self, model_input: list[SampleRequest]) -> list[Images]:
        """The images of every wish. Raises UsageError if there are too many."""
        from genpipe.errors import UsageError
        from genpipe.interfaces.sampling import sampling_with
        from genpipe.sampling.translating import answer

        if (asked := sum(map(_images, model_input))) > MOST_IMAGES:
            raise UsageError(f"{asked:,} images are asked for at once; at most {MOST_IMAGES:,} are drawn.")
        answers = []
        for wish in model_input:
            with sampling_with(self.model, **wish.options):
                answers.append(answer(self.model, wish.n, wish.seed, wish.conditions).tolist())
        return answers


def _images(wish: SampleRequest) -> int:
    """How many images are asked for."""
    return wish.n * max(map(len, wish.conditions.values()), default=1)


def download(model: str, folder: Path) -> Path:
    """The folder with the model, once its files were downloaded, of "models:/NAME/VERSION"; none of them is run.

    Raises GenpipeError if MLflow has no such model, or it is none of genpipe's.
    """
    try:
        if not present():
            raise GenpipeError("there is no such store. `genpipe ui` makes one; MLFLOW_TRACKING_URI says where it is.")
        connection()
        found = Path(mlflow.artifacts.download_artifacts(artifact_uri=model, dst_path=str(folder)))
    except (MlflowException, GenpipeError) as error:
        raise GenpipeError(f"{model} cannot be had from MLflow at {address()}: {brief(error)}") from None
    if not (found / _PLACE).is_dir():
        raise GenpipeError(f"{model} is no model of genpipe: it has no {_PLACE}. Give one that `dvc repro` has logged.")
    return found / _PLACE


def serve() -> None:
    """Tells MLflow what to serve; called by the script that it keeps beside the model."""
    mlflow.models.set_model(ServedModel())


def has_model(client: mlflow.MlflowClient, experiment_id: str, run: Run) -> bool:
    """Whether a run has its model, whole."""
    found = client.search_logged_models([experiment_id], f"source_run_id = '{run.info.run_id}' AND name = '{NAME}'")
    return any(model.status == LoggedModelStatus.READY for model in found)


def log_model(run: Run, folder: Path) -> None:
    """Adds the model in a folder to a run, with the code that it needs: genpipe, and a person's own package."""
    package, used = Path(__file__).parents[1], registry.used()
    needed = [line for line in requires("genpipe") or () if "extra ==" not in line]
    with mlflow.start_run(run_id=run.info.run_id):
        mlflow.pyfunc.log_model(
            name=NAME,
            python_model=str(package / "tracking" / "serving.py"),
            artifacts={"model": str(folder)},
            code_paths=[str(package), *([str(used.root / used.own)] if used.own else [])],
            model_config={"package": used.own} if used.own else None,
            pip_requirements=needed,
        )
