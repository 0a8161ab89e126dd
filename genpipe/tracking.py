"""MLflow: a run for every experiment. Files are the truth and MLflow the copy; this alone imports mlflow.

A server that cannot be reached costs a warning and the copy. A run is found again by the key of all that decides an
experiment's result, so that restored caches, restarted trainings and later stages write to the same one.
"""

import logging
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from importlib.metadata import requires
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
from filelock import FileLock
from mlflow.entities import Dataset, DatasetInput, Metric, Param, Run
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
from pydantic import BaseModel

from genpipe import paths
from genpipe.config import Experiment, Project
from genpipe.errors import GenpipeError, Stopped
from genpipe.files import read_json
from genpipe.provenance import data_digest, origin, run_key
from genpipe.running import health
from genpipe.training.experiment import read_curves
from genpipe.training.moments import Moment

logging.getLogger("mlflow").setLevel(logging.WARNING)

EXPERIMENT = "genpipe"
FLUSH_SEC = 10.0
"""Curves are sent no more often than this."""
SYSTEM_METRICS_SEC = 5.0
WARNINGS = "genpipe.warnings"
"""The tag of what goes wrong in a training, a line each."""
LARGEST_BATCH = 1000
"""What MLflow takes in one call."""


def address() -> str:
    """MLFLOW_TRACKING_URI, or the SQLite file in the project's root, also from inside a temporary workspace."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{paths.tracking_store()}"


class Tracker:
    """The runs of a project; from the first call that fails on, it only says once that it is silent."""

    def __init__(self, project: Project) -> None:
        self.project, self.silent = project, False
        self._connection: tuple[mlflow.MlflowClient, str] | None = None

    def connect(self) -> tuple[mlflow.MlflowClient, str]:
        """The client and the id of the MLflow experiment; creates the local store under a lock when it is missing."""
        if self._connection is None:
            local = address().startswith("sqlite")
            with FileLock(paths.home() / "mlflow.db.lock") if local else nullcontext():
                mlflow.set_tracking_uri(address())
                client = mlflow.MlflowClient()
                self._connection = (
                    client,
                    _experiment_id(client, paths.tracking_artifacts().as_uri() if local else None),
                )
        return self._connection

    @contextmanager
    def training(self, experiment: Experiment) -> Iterator["Live"]:
        """A watcher that copies the curves of a training into a new run, or on into the run of a stopped one."""
        live = Live(self, experiment)
        self.safely(live.open)
        try:
            yield live
        except BaseException as error:
            if isinstance(error, GenpipeError) and not isinstance(error, Stopped):
                live.warn(str(error))
            live.close("KILLED" if isinstance(error, KeyboardInterrupt | Stopped) else "FAILED")
            raise
        live.close("FINISHED")

    def mirror(self, experiment: Experiment) -> None:
        """Makes the run of an experiment show what is on disk: finds or remakes it, and adds scores and pictures."""
        self.safely(lambda: self._mirror(experiment))

    def mirror_all(self) -> None:
        """Does so for every experiment of the index that has scores."""
        for name in self.project.index.experiments:
            if (self.project.root / paths.scores(name)).exists():
                self.mirror(self.project.experiment(name))

    def _mirror(self, experiment: Experiment) -> None:
        client, _ = self.connect()
        root = self.project.root
        scores = read_json(root / paths.scores(experiment.name))
        if scores["how"]["key"] != run_key(self.project, experiment):
            return  # the YAML was edited since; what is on disk is of another experiment
        run = self.find(experiment) or self._remade(experiment)
        flat = {name: value for name, value in scores.items() if name != "how"}
        if {name: run.data.metrics.get(name) for name in flat} != flat:
            client.log_batch(run.info.run_id, _metrics(flat, 0))
            client.log_dict(run.info.run_id, scores, "scores.json")
            client.log_artifacts(run.info.run_id, str(root / paths.figures(experiment.name)), "figures")

    def find(self, experiment: Experiment) -> Run | None:
        """The newest run of exactly this experiment."""
        client, folder = self.connect()
        query = f"tags.`genpipe.key` = '{run_key(self.project, experiment)}'"
        return next(iter(client.search_runs([folder], query, max_results=1)), None)

    def create(self, experiment: Experiment) -> Run:
        """A new run that carries the parameters and where everything came from; it takes the place of an older one."""
        client, folder = self.connect()
        while old := self.find(experiment):
            client.delete_run(old.info.run_id)
        tags = {"genpipe.key": run_key(self.project, experiment), **origin(self.project, experiment)}
        run = client.create_run(folder, run_name=experiment.name, tags=tags)
        params = [Param(name, str(value)) for name, value in _flat(experiment.resolved())]
        client.log_batch(run.info.run_id, params=params)
        data = Dataset(experiment.data.name, data_digest(self.project, experiment), "dvc", "prepared by this project")
        client.log_inputs(run.info.run_id, [DatasetInput(data)])
        return run

    def _remade(self, experiment: Experiment) -> Run:
        """A run for an experiment whose training came out of a cache."""
        run = self.create(experiment)
        self.finish(run, experiment)
        return run

    def finish(self, run: Run, experiment: Experiment, status: str = "FINISHED") -> None:
        """Closes the run; that of a finished training gets the model, and rows and warnings that a kill has cost it."""
        client, _ = self.connect()
        if status == "FINISHED":
            rows = read_curves(self.project.root / paths.curves(experiment.name))
            metrics = [metric for row in rows for metric in _metrics(row, int(row["step"]))]
            known = _known(client, run, {metric.key for metric in metrics})
            _send(client, run, [m for m in metrics if (m.key, m.step) not in known])
            client.set_tag(run.info.run_id, WARNINGS, "\n".join(health.warnings(rows)) or "none")
            _log_model(run, self.project.root / paths.model(experiment.name))
        client.set_terminated(run.info.run_id, status)

    def safely(self, call: Callable[[], object]) -> None:
        """Calls a function unless tracking failed before; a failure silences tracking with one warning."""
        if self.silent:
            return
        try:
            call()
        except Exception as error:  # whatever a server does, files are the truth
            self.silent = True
            brief = str(error).partition("\n")[0][:200]
            warnings.warn(f"MLflow at {address()} is left out from here on: {brief}", stacklevel=2)


class Live:
    """The run of a training under way; rows wait here and are sent together."""

    def __init__(self, tracker: Tracker, experiment: Experiment) -> None:
        self.tracker, self.experiment = tracker, experiment
        self.waiting: list[Metric] = []
        self.sent_at = time.monotonic()
        self.run: Run | None = None
        self.known: set[tuple[str, int]] = set()
        """Steps of which the run has what; after a restart, those since the checkpoint come again."""
        self.warnings: list[str] = []
        self.monitor: SystemMetricsMonitor | None = None

    def open(self) -> None:
        """Finds the run or creates it."""
        client, _ = self.tracker.connect()
        found = self.tracker.find(self.experiment)
        if found and found.info.status != "FINISHED":
            self.run = found
            client.update_run(found.info.run_id, "RUNNING")
            self.known = _known(client, found, found.data.metrics)
        else:
            self.run = self.tracker.create(self.experiment)
        self.monitor = SystemMetricsMonitor(self.run.info.run_id, SYSTEM_METRICS_SEC, resume_logging=bool(found))
        self.monitor.start()

    def __call__(self, moment: Moment) -> None:
        row = {**moment.row, "images_per_sec": moment.images_per_sec}
        self.waiting += [m for m in _metrics(row, moment.step) if (m.key, m.step) not in self.known]
        if time.monotonic() - self.sent_at > FLUSH_SEC:
            self.flush()

    def warn(self, text: str) -> None:
        """Adds a warning to the run's tag."""
        self.warnings.append(text)
        if run := self.run:
            text = "\n".join(self.warnings)
            self.tracker.safely(lambda: self.tracker.connect()[0].set_tag(run.info.run_id, WARNINGS, text))

    def flush(self) -> None:
        """Sends what waits."""
        run, metrics, self.waiting = self.run, self.waiting, []
        if run:
            self.tracker.safely(lambda: _send(self.tracker.connect()[0], run, metrics))
        self.sent_at = time.monotonic()

    def close(self, status: str) -> None:
        """Sends the rest and closes the run."""
        self.flush()
        if self.monitor:
            self.monitor.finish()
        if run := self.run:
            self.tracker.safely(lambda: self.tracker.finish(run, self.experiment, status))


def _experiment_id(client: mlflow.MlflowClient, artifacts: str | None) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    if found:
        return found.experiment_id
    kind = {"mlflow.experimentKind": "custom_model_development"}  # opens the pages for training, not those for prompts
    return client.create_experiment(EXPERIMENT, artifact_location=artifacts, tags=kind)


def _metrics(row: Mapping[str, float], step: int) -> list[Metric]:
    now = int(time.time() * 1000)
    return [Metric(name, value, now, step) for name, value in row.items() if name != "step"]


def _send(client: mlflow.MlflowClient, run: Run, metrics: list[Metric]) -> None:
    for first in range(0, len(metrics), LARGEST_BATCH):
        client.log_batch(run.info.run_id, metrics[first : first + LARGEST_BATCH])


def _known(client: mlflow.MlflowClient, run: Run, names: Iterable[str]) -> set[tuple[str, int]]:
    """Which steps a run has of some curves."""
    return {(name, m.step) for name in names for m in client.get_metric_history(run.info.run_id, name)}


def _flat(value: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    """Nested mappings as dotted names."""
    if isinstance(value, Mapping) and value:
        return [pair for k, v in value.items() for pair in _flat(v, f"{path}.{k}" if path else str(k))]
    return [(path, value)]


Images = list[list[list[list[int]]]]
"""uint8 [n c h w], as nested lists."""


class Wish(BaseModel):
    """One row of what a served model is asked for."""

    n: int = 1
    seed: int = 0


class ServedModel(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined]
    """Samples of a model, from MLflow."""

    def load_context(self, context: Any) -> None:
        """Reads the model from the run's artifacts."""
        from genpipe.modelfiles import load_model

        self.model, _ = load_model(Path(context.artifacts["model"]))

    def predict(self, model_input: list[Wish]) -> list[Images]:
        """The images of every wish."""
        from genpipe.sampling import draw

        return [draw(self.model, wish.n, seed=wish.seed).tolist() for wish in model_input]


def serve() -> None:
    """Tells MLflow what to serve; called by the script that it keeps beside the model."""
    mlflow.models.set_model(ServedModel())


def _log_model(run: Run, folder: Path) -> None:
    package = Path(__file__).parent
    needed = [line for line in requires("genpipe") or () if "extra ==" not in line]
    with mlflow.start_run(run_id=run.info.run_id):
        mlflow.pyfunc.log_model(
            name="model",
            python_model=str(package / "serving.py"),
            artifacts={"model": str(folder)},
            code_paths=[str(package)],
            pip_requirements=needed,
        )


def ui(port: int) -> None:
    """Brings the store up to date with the files, and serves MLflow's pages until stopped."""
    import sys

    print(f"MLflow will answer at http://127.0.0.1:{port} in a moment; Ctrl-C stops it.", flush=True)
    Tracker(Project(paths.root())).mirror_all()
    command = ["-m", "mlflow", "ui", "--backend-store-uri", address(), "--port", str(port)]
    os.execv(sys.executable, [sys.executable, *command])
