"""Train an experiment: python -m stages.train NAME."""

from genpipe import config
from genpipe.running import Facts, stage
from genpipe.running.progress import progress
from genpipe.tracking import Tracker
from genpipe.training.experiment import assist, checkpoints, train


def run(name: str) -> Facts:
    """Trains, or goes on where a training was stopped."""
    project = config.load()
    experiment = project.experiment(name)
    assist(project, experiment)
    with Tracker(project).training(experiment) as tracked, progress(name) as shown:
        facts = train(project, experiment, [shown, tracked])
    checkpoints(project, experiment).clear()
    return facts


if __name__ == "__main__":
    stage("train", run)
