"""Where MLflow's runs are kept, and what is written to them."""

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from math import isfinite
from pathlib import Path
from threading import Thread
from typing import Any

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
from mlflow.entities import Experiment, LifecycleStage, Metric, Run
from mlflow.exceptions import MlflowException

from genpipe import paths
from genpipe.errors import GenpipeError
from genpipe.files import locked
from genpipe.tracking import _database

logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # what fails is raised, and told once by who called

LARGEST_BATCH = 1000
"""What MLflow takes in one call."""
WAIT_SEC = 60.0
"""So long another process may make the store, or complete a run."""


def address() -> str:
    """MLFLOW_TRACKING_URI, or the SQLite file in the project's root, also from inside a temporary workspace."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{paths.tracking_store()}"


def experiment_name() -> str:
    """The MLflow experiment that holds the runs."""
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or "genpipe"


def connection() -> tuple[mlflow.MlflowClient, str]:
    """The client and the id of the MLflow experiment; a local store is made where it is missing.

    Raises GenpipeError with what to do if the store is locked, broken, of another version or without the experiment.
    """
    store = _file()
    if store is None:
        return _opened(None)
    artifacts = paths.tracking_artifacts().as_uri()
    with locked(store.with_name(f"{store.name}.lock"), WAIT_SEC, "to open MLflow's store"):
        _database.prepare(store, artifacts)
        try:
            opened = _opened(artifacts)
        except MlflowException as error:
            raise _explained(store, error) from None
        if store == paths.tracking_store().resolve():
            _database.follow(store, experiment_name(), artifacts)
    return opened


def _file() -> Path | None:
    """The file of a store that is nothing but a file."""
    if not (given := os.environ.get("MLFLOW_TRACKING_URI")):
        return paths.tracking_store().resolve()
    scheme, _, path = given.partition("sqlite:///")
    return Path(path).resolve() if not scheme and path and not path.startswith(":") and "?" not in path else None


def present() -> bool:
    """Whether there is a store, as far as that can be seen without asking a server."""
    store = _file()
    return store is None or store.exists()


def _opened(artifacts: str | None) -> tuple[mlflow.MlflowClient, str]:
    mlflow.set_tracking_uri(address())
    client = mlflow.MlflowClient()
    found = client.get_experiment_by_name(experiment_name())
    if found:
        return client, _not_deleted(found)
    kind = {"mlflow.experimentKind": "custom_model_development"}  # opens the pages for training, not those for prompts
    return client, client.create_experiment(experiment_name(), artifact_location=artifacts, tags=kind)


def _not_deleted(found: Experiment) -> str:
    if found.lifecycle_stage != LifecycleStage.DELETED:
        return str(found.experiment_id)
    restore = f"MLFLOW_TRACKING_URI={address()} mlflow experiments restore --experiment-id {found.experiment_id}"
    raise GenpipeError(
        f"the MLflow experiment '{found.name}' was deleted. Restore it (`{restore}`), or set MLFLOW_EXPERIMENT_NAME to "
        "the name of another."
    )


def _explained(store: Path, error: MlflowException) -> Exception:
    """The error in words, if the store is of another version of MLflow."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    version, current = _database.version(store), scripts.get_current_head()
    if version == current:
        return error
    if version in {script.revision for script in scripts.walk_revisions()}:
        remedy = f"Make a copy of it, then bring it up to date: mlflow db upgrade {address()}"
        return GenpipeError(f"{store} was made by an MLflow older than {mlflow.__version__}. {remedy}")
    remedy = "Install that version again, or set MLFLOW_TRACKING_URI to another store."
    return GenpipeError(f"{store} was made by an MLflow newer than {mlflow.__version__}, and is left alone. {remedy}")


def within(limit_sec: float, call: Callable[[], Any]) -> Any:
    """What a function gives. Raises TimeoutError if it takes too long; it then goes on alone, and is not waited for."""
    outcome: Future[Any] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:
            outcome.set_exception(error)

    Thread(target=run, daemon=True, name="mlflow").start()
    try:
        return outcome.result(limit_sec)
    except TimeoutError:
        if outcome.done():
            raise
        raise TimeoutError(f"no answer within {limit_sec:g} s") from None


def brief(error: Exception) -> str:
    """What went wrong, in one line; an error of ours says more than that."""
    if isinstance(error, GenpipeError):
        return str(error)
    return str(error).partition("\n")[0][:200] or type(error).__name__


def metrics_of(row: Mapping[str, float], step: int) -> list[Metric]:
    """A row of a curve as MLflow has it; it cannot keep what is not finite."""
    now = int(time.time() * 1000)
    return [Metric(name, value, now, step) for name, value in row.items() if name != "step" and isfinite(value)]


def send(client: mlflow.MlflowClient, run: Run, metrics: list[Metric]) -> None:
    """Writes figures to a run."""
    for first in range(0, len(metrics), LARGEST_BATCH):
        client.log_batch(run.info.run_id, metrics[first : first + LARGEST_BATCH])


def known(client: mlflow.MlflowClient, run: Run, names: Iterable[str]) -> dict[tuple[str, int], float]:
    """What a run has of some curves, by name and step; the newest figure, where there are several."""
    return {(name, m.step): m.value for name in names for m in client.get_metric_history(run.info.run_id, name)}


def send_new(client: mlflow.MlflowClient, run: Run, metrics: list[Metric]) -> None:
    """Writes to a run those figures that it does not have."""
    has = known(client, run, {metric.key for metric in metrics})
    send(client, run, [m for m in metrics if has.get((m.key, m.step)) != m.value])
