"""Write what people look at: python -m stages.report."""

from collections.abc import Callable

from genpipe import config
from genpipe.reporting import write_report
from genpipe.running import leave
from genpipe.running.stages import single
from genpipe.tracking import Tracker


def report() -> Callable[[], object]:
    """Writes the report and makes sure that every experiment has its run in MLflow."""
    project = config.load()
    write_report(project.root)
    return Tracker(project).mirror_all


if __name__ == "__main__":
    leave(single("report", report))
