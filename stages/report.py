"""Write what people look at: python -m stages.report."""

from genpipe import config
from genpipe.reporting import write_report
from genpipe.running import leave
from genpipe.running.inputs import Inputs
from genpipe.running.stages import single
from genpipe.tracking import Tracker


def report(inputs: Inputs) -> None:
    """Writes the report and makes sure that every experiment has its run in MLflow."""
    project = config.load()
    write_report(project.root)
    inputs.verify()
    Tracker(project).mirror_all()


if __name__ == "__main__":
    leave(single("report", report))
