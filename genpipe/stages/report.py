"""Write what people look at: genpipe-stage report."""

from collections.abc import Callable

from genpipe import config
from genpipe.reporting import write_report
from genpipe.running.stages import single
from genpipe.tracking import Tracker


def report() -> Callable[[], object]:
    """Writes the report and makes sure that every experiment has its run in MLflow."""
    project = config.load()
    write_report(project.root)
    return Tracker(project).mirror_all


def main() -> int:
    """Runs the stage; returns an exit status."""
    return single("report", report)
