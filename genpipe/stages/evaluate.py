"""Score an experiment: genpipe-stage evaluate NAME."""

from genpipe import config
from genpipe.evaluation import evaluate
from genpipe.running.inputs import Inputs
from genpipe.running.stages import Facts, stage
from genpipe.tracking import Tracker


def run(name: str, inputs: Inputs) -> Facts:
    """Writes scores and pictures, and copies them to MLflow."""
    project = config.load()
    experiment = project.experiment(name)
    inputs.verify()
    evaluate(project, experiment)
    yield {}
    Tracker(project).mirror(experiment)


def main() -> int:
    """Runs the stage; returns an exit status."""
    return stage("evaluate", run)
