"""Where MLflow's runs are kept, and what is written to them."""

import logging
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
from filelock import FileLock
from mlflow.entities import Metric, Run

from genpipe import paths

logging.getLogger("mlflow").setLevel(logging.WARNING)

EXPERIMENT = "genpipe"
LARGEST_BATCH = 1000
"""What MLflow takes in one call."""


def address() -> str:
    """MLFLOW_TRACKING_URI, or the SQLite file in the project's root, also from inside a temporary workspace."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{paths.tracking_store()}"


def connection() -> tuple[mlflow.MlflowClient, str]:
    """The client and the id of the MLflow experiment; creates the local store under a lock when it is missing."""
    local = address().startswith("sqlite")
    with FileLock(paths.home() / "mlflow.db.lock") if local else nullcontext():
        mlflow.set_tracking_uri(address())
        client = mlflow.MlflowClient()
        return client, _experiment_id(client, paths.tracking_artifacts().as_uri() if local else None)


def _experiment_id(client: mlflow.MlflowClient, artifacts: str | None) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    if found:
        return found.experiment_id
    kind = {"mlflow.experimentKind": "custom_model_development"}  # opens the pages for training, not those for prompts
    return client.create_experiment(EXPERIMENT, artifact_location=artifacts, tags=kind)


def metrics_of(row: Mapping[str, float], step: int) -> list[Metric]:
    """A row of a curve as MLflow has it."""
    now = int(time.time() * 1000)
    return [Metric(name, value, now, step) for name, value in row.items() if name != "step"]


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
