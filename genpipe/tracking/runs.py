"""The run of every experiment: found, made, completed from the files."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import mlflow
from mlflow.entities import Dataset, DatasetInput, Param, Run

from genpipe import paths
from genpipe.config.project import Experiment, Project
from genpipe.errors import GenpipeError, Locked, Stopped
from genpipe.files import locked
from genpipe.provenance import data_digest, origin, run_key
from genpipe.tracking import _results
from genpipe.tracking.live import WARNINGS, Live
from genpipe.tracking.served import has_model, log_model
from genpipe.tracking.store import WAIT_SEC, address, brief, connection, metrics_of, send_new, within
from genpipe.training.curves import read_curves

CALL_SEC = 2 * WAIT_SEC
"""So long MLflow may take to note something."""
UPLOAD_SEC = 1800.0
"""So long it may take to be given pictures and a model."""
FILES = "genpipe.files"
"""The tag of a run that shows all there is: a digest of the files that it was made from."""
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
    def training(self, experiment: Experiment) -> Iterator[Live]:
        """A callback that copies the curves of a training into a new run, or on into the run of a stopped one."""
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

    def mirror(self, experiment: Experiment, wait_sec: float = WAIT_SEC) -> None:
        """Makes the run of an experiment show what is on disk, whatever it lacks, if the experiment has its results.

        Says so if a file is damaged, or if another process keeps the run for so long.
        """
        try:
            self._mirror(experiment, wait_sec)
        except GenpipeError as error:
            self._not_shown(f"{experiment.name}: {error}")

    def mirror_all(self) -> None:
        """Does so for every experiment of the index that has scores, but those whose training goes on."""
        scored = [name for name in self.project.index.experiments if (self.project.root / paths.scores(name)).exists()]
        absent = [name for name in scored if _results.absent(self.project, name)]
        if absent:
            self._not_shown(f"{', '.join(absent)}: model, data or curves are not here; run `dvc pull` or `dvc repro`.")
        for name in [name for name in scored if name not in absent]:
            try:
                self._mirror(self.project.experiment(name), wait_sec=0.0)
            except Locked:
                continue  # whoever writes this run completes it
            except GenpipeError as error:
                self._not_shown(f"{name}: {error}")

    def _mirror(self, experiment: Experiment, wait_sec: float) -> None:
        found = _results.results(self.project, experiment)
        if found and not self.silent:
            with self.alone(experiment, wait_sec):
                self.safely(lambda: self._complete(experiment, found), UPLOAD_SEC)

    @staticmethod
    def _not_shown(why: str) -> None:
        warnings.warn(f"not brought up to date in MLflow: {why}", stacklevel=3)

    def _complete(self, experiment: Experiment, found: _results.Results) -> None:
        client, _ = self.connect()
        run = self.find(experiment) or self.create(experiment)
        if run.info.status == "FINISHED" and run.data.tags.get(FILES) == found.digest:
            return
        self._describe(run, experiment)
        self._finish(run, experiment)
        client.log_dict(run.info.run_id, dict(found.scores), "scores.json")
        client.log_artifacts(run.info.run_id, str(self.project.root / paths.figures(experiment.name)), "figures")
        send_new(client, run, metrics_of(found.figures, 0))
        self._add_scores_by_step(run, experiment)
        client.set_tag(run.info.run_id, FILES, found.digest)

    def _add_scores_by_step(self, run: Run, experiment: Experiment) -> None:
        rows = read_curves(self.project.root / paths.score_curves(experiment.name))
        named = [({f"{BY_STEP}{k}": v for k, v in row.items() if k != "step"}, int(row["step"])) for row in rows]
        send_new(self.connect()[0], run, [metric for row, step in named for metric in metrics_of(row, step)])

    def find(self, experiment: Experiment) -> Run | None:
        """The newest run of exactly this experiment; another one of the same knobs has its own."""
        client, folder = self.connect()
        query = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in self._identity(experiment).items())
        return next(iter(client.search_runs([folder], query, max_results=1)), None)

    def _identity(self, experiment: Experiment) -> dict[str, str]:
        return {"genpipe.key": run_key(self.project, experiment), "genpipe.experiment": experiment.name}

    @contextmanager
    def alone(self, experiment: Experiment, wait_sec: float) -> Iterator[None]:
        """Keeps all other processes of this project from writing the experiment's run."""
        file = paths.run_lock(experiment.name, run_key(self.project, experiment))
        with locked(file, wait_sec, f"to write the MLflow run of {experiment.name}"):
            try:
                yield
            finally:
                with suppress(OSError):  # where an open file cannot be removed
                    file.unlink()

    def create(self, experiment: Experiment) -> Run:
        """A new run that carries the parameters and where everything came from; it takes the place of an older one."""
        client, folder = self.connect()
        while old := self.find(experiment):
            client.delete_run(old.info.run_id)
        tags = {**self._identity(experiment), **origin(self.project, experiment)}
        run = client.create_run(folder, run_name=experiment.name, tags=tags)
        self._describe(run, experiment)
        return client.get_run(run.info.run_id)

    def _describe(self, run: Run, experiment: Experiment) -> None:
        """Adds the parameters and the data that a run does not have yet."""
        client, _ = self.connect()
        params = [Param(k, str(v)) for k, v in _flat(experiment.resolved()) if k not in run.data.params]
        client.log_batch(run.info.run_id, params=params)
        if not (run.inputs and run.inputs.dataset_inputs):
            data = data_digest(self.project, experiment)
            dataset = Dataset(experiment.data.name, data, "dvc", "prepared by this project")
            client.log_inputs(run.info.run_id, [DatasetInput(dataset)])

    def end(self, run: Run, experiment: Experiment, status: str) -> None:
        """Closes the run of a training; that of a finished one gets all that the training left."""
        if status == "FINISHED":
            self.safely(lambda: self._finish(run, experiment), UPLOAD_SEC)
        else:
            self.safely(lambda: self.connect()[0].set_terminated(run.info.run_id, status))

    def _finish(self, run: Run, experiment: Experiment) -> None:
        """Adds the model, and rows and warnings that were not sent, and closes the run."""
        client, folder = self.connect()
        rows = _results.curves(self.project, experiment)
        send_new(client, run, [metric for row in rows for metric in metrics_of(row, int(row["step"]))])
        client.set_tag(run.info.run_id, WARNINGS, "\n".join(_results.warnings(self.project, experiment)) or "none")
        if not has_model(client, folder, run):
            log_model(run, self.project.root / paths.model(experiment.name))
        client.set_terminated(run.info.run_id, "FINISHED")

    def safely(self, call: Callable[[], object], limit_sec: float = CALL_SEC) -> None:
        """Calls a function unless tracking failed before; a failure, or no end, silences tracking with one warning."""
        if self.silent:
            return
        try:
            within(limit_sec, call)
        except Exception as error:  # whatever a server does, files are the truth
            self.silent = True
            warnings.warn(f"MLflow at {address()} is left out from here on: {brief(error)}", stacklevel=2)


def _flat(value: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    """Nested mappings as dotted names."""
    if isinstance(value, Mapping) and value:
        return [pair for k, v in value.items() for pair in _flat(v, f"{path}.{k}" if path else str(k))]
    return [(path, value)]
