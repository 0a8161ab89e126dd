"""Score an experiment: python -m stages.evaluate NAME."""

from genpipe import config
from genpipe.evaluation import evaluate
from genpipe.running import leave
from genpipe.running.inputs import Inputs
from genpipe.running.stages import Facts, stage
from genpipe.tracking import Tracker


def run(name: str, _: Inputs) -> Facts:
    """Writes scores and pictures, and copies them to MLflow."""
    project = config.load()
    experiment = project.experiment(name)
    evaluate(project, experiment)
    yield {}
    Tracker(project).mirror(experiment)


if __name__ == "__main__":
    leave(stage("evaluate", run, in_place=True))
