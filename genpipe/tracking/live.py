"""A training that MLflow is told of while it goes on."""

import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from mlflow.entities import Metric, Run
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from genpipe.config.project import Experiment
from genpipe.tracking.store import known, metrics_of, send, within
from genpipe.training.callbacks import StepInfo

if TYPE_CHECKING:
    from genpipe.tracking.runs import Tracker


FLUSH_SEC = 10.0
"""Curves are sent no more often than this."""
SYSTEM_METRICS_SEC = 5.0
MONITOR_SEC = 15.0
"""So long the last system metrics are waited for."""
WARNINGS = "genpipe.warnings"
"""The tag of what goes wrong in a training, a line each."""


class Live:
    """A callback of a training; rows wait here and are sent together."""

    def __init__(self, tracker: "Tracker", experiment: Experiment) -> None:
        self.tracker, self.experiment = tracker, experiment
        self.waiting: list[Metric] = []
        self.sent_at = time.monotonic()
        self.run: Run | None = None
        self.known: dict[tuple[str, int], float] = {}
        """Steps of which the run has what; after a restart, those since the checkpoint come again."""
        self.warnings: list[str] = []
        self.monitor: SystemMetricsMonitor | None = None
        self.kept = ExitStack()
        """The lock of the run, by which others see that its training goes on."""

    def open(self) -> None:
        """Finds the run or creates it. Raises Locked if another process trains the same."""
        self.kept.enter_context(self.tracker.alone(self.experiment, wait_sec=0.0))
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

    def __call__(self, info: StepInfo) -> None:
        row = {**info.row, "images_per_sec": info.images_per_sec}
        self.waiting += [m for m in metrics_of(row, info.step) if (m.key, m.step) not in self.known]
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
            with suppress(TimeoutError):
                within(MONITOR_SEC, self.monitor.finish)
        if run := self.run:
            self.tracker.end(run, self.experiment, status)
        self.kept.close()
