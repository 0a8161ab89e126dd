"""Write what people look at: python -m stages.report."""

from genpipe import config
from genpipe.reporting import write_report
from genpipe.running import guarded, leave
from genpipe.tracking import Tracker


def report() -> None:
    """Writes the report and makes sure that every experiment has its run in MLflow."""
    project = config.load()
    write_report(project.root)
    Tracker(project).mirror_all()


if __name__ == "__main__":
    leave(guarded(report))
