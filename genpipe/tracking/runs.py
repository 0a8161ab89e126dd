"""The run of every experiment: found, continued, made anew."""

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import mlflow
from mlflow.entities import Dataset, DatasetInput, Metric, Param, Run
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from genpipe import paths
from genpipe.config import Experiment, Project
from genpipe.errors import GenpipeError, Stopped
from genpipe.files import read_json
from genpipe.provenance import data_digest, origin, run_key
from genpipe.running import health
from genpipe.tracking._store import address, connection, known, metrics_of, send, send_new
from genpipe.tracking.served import log_model
from genpipe.training.curves import read_curves
from genpipe.training.moments import Moment

FLUSH_SEC = 10.0
"""Curves are sent no more often than this."""
SYSTEM_METRICS_SEC = 5.0
WARNINGS = "genpipe.warnings"
"""The tag of what goes wrong in a training, a line each."""
BY_STEP = "by_step/"
"""Scores of samples that were drawn during the training are called so, and those of the finished model are not."""


class Tracker:
    """The runs of a project; from the first call that fails on, it only says once that it is silent."""

    def __init__(self, project: Project) -> None:
        self.project, self.silent = project, False
        self._connection: tuple[mlflow.MlflowClient, str] | None = None

    def connect(self) -> tuple[mlflow.MlflowClient, str]:
        """The client and the id of the MLflow experiment, which is looked for once."""
        self._connection = self._connection or connection()
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
            send(client, run, metrics_of(flat, 0))
            client.log_dict(run.info.run_id, scores, "scores.json")
            client.log_artifacts(run.info.run_id, str(root / paths.figures(experiment.name)), "figures")
        self._add_scores_by_step(run, experiment)
        self._add_warnings(run, experiment)

    def _add_scores_by_step(self, run: Run, experiment: Experiment) -> None:
        """Curves of the scores, where there are any; what the run has already is not written again."""
        rows = read_curves(self.project.root / paths.score_curves(experiment.name))
        named = [({f"{BY_STEP}{name}": value for name, value in row.items()}, int(row["step"])) for row in rows]
        metrics = [metric for row, step in named for metric in metrics_of(row, step)]
        send_new(self.connect()[0], run, metrics)

    def _add_warnings(self, run: Run, experiment: Experiment) -> None:
        """What later stages noted of the model's images joins the warnings of its training."""
        files = [self.project.root / paths.timing(stage, experiment.name) for stage in ("sample", "evaluate")]
        noted = [line for file in files if file.exists() for line in read_json(file)["facts"].get("warnings", [])]
        before = [line for line in run.data.tags.get(WARNINGS, "none").splitlines() if line != "none"]
        if set(noted) - set(before):
            self.connect()[0].set_tag(run.info.run_id, WARNINGS, "\n".join(dict.fromkeys([*before, *noted])))

    def find(self, experiment: Experiment) -> Run | None:
        """The newest run of exactly this experiment; another one of the same knobs has its own."""
        client, folder = self.connect()
        query = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in self._identity(experiment).items())
        return next(iter(client.search_runs([folder], query, max_results=1)), None)

    def _identity(self, experiment: Experiment) -> dict[str, str]:
        return {"genpipe.key": run_key(self.project, experiment), "genpipe.experiment": experiment.name}

    def create(self, experiment: Experiment) -> Run:
        """A new run that carries the parameters and where everything came from; it takes the place of an older one."""
        client, folder = self.connect()
        while old := self.find(experiment):
            client.delete_run(old.info.run_id)
        tags = {**self._identity(experiment), **origin(self.project, experiment)}
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
            send_new(client, run, [metric for row in rows for metric in metrics_of(row, int(row["step"]))])
            client.set_tag(run.info.run_id, WARNINGS, "\n".join(health.warnings(rows)) or "none")
            log_model(run, self.project.root / paths.model(experiment.name))
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
    """A watcher of a training; rows wait here and are sent together."""

    def __init__(self, tracker: Tracker, experiment: Experiment) -> None:
        self.tracker, self.experiment = tracker, experiment
        self.waiting: list[Metric] = []
        self.sent_at = time.monotonic()
        self.run: Run | None = None
        self.known: dict[tuple[str, int], float] = {}
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
            self.known = known(client, found, found.data.metrics)
        else:
            self.run = self.tracker.create(self.experiment)
        self.monitor = SystemMetricsMonitor(self.run.info.run_id, SYSTEM_METRICS_SEC, resume_logging=bool(found))
        self.monitor.start()

    def __call__(self, moment: Moment) -> None:
        row = {**moment.row, "images_per_sec": moment.images_per_sec}
        self.waiting += [m for m in metrics_of(row, moment.step) if (m.key, m.step) not in self.known]
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
            self.tracker.safely(lambda: send(self.tracker.connect()[0], run, metrics))
        self.sent_at = time.monotonic()

    def close(self, status: str) -> None:
        """Sends the rest and closes the run."""
        self.flush()
        if self.monitor:
            self.monitor.finish()
        if run := self.run:
            self.tracker.safely(lambda: self.tracker.finish(run, self.experiment, status))


def _flat(value: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    """Nested mappings as dotted names."""
    if isinstance(value, Mapping) and value:
        return [pair for k, v in value.items() for pair in _flat(v, f"{path}.{k}" if path else str(k))]
    return [(path, value)]
