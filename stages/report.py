"""Write what people look at: python -m stages.report."""

from collections.abc import Iterator

from genpipe import config
from genpipe.reporting import write_report
from genpipe.running import leave
from genpipe.running.stages import single
from genpipe.tracking import Tracker


def report() -> Iterator[None]:
    """Writes the report and makes sure that every experiment has its run in MLflow."""
    project = config.load()
    write_report(project.root)
    yield
    Tracker(project).mirror_all()


if __name__ == "__main__":
    leave(single("report", report))
