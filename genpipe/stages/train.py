"""Train an experiment: genpipe-stage train NAME."""

from genpipe import config, paths
from genpipe.running.health import Health, warnings
from genpipe.running.inputs import Inputs
from genpipe.running.progress import progress
from genpipe.running.stages import Facts, stage
from genpipe.running.stopping import signals
from genpipe.tracking import Tracker
from genpipe.training.curves import read_curves
from genpipe.training.experiment import assist, checkpoints, clear_checkpoints, train


def run(name: str, inputs: Inputs) -> Facts:
    """Trains, or goes on where a training was stopped."""
    experiment = (project := config.load()).experiment(name)
    kept = checkpoints(project, experiment, inputs.verify_state)
    inputs.verify()  # so the key of the checkpoints is of the code that runs
    assist(project, experiment, signals(), kept)
    with Tracker(project).training(experiment) as tracked, progress(name) as shown:
        facts = train(project, experiment, [shown, tracked, Health(shown.warn, tracked.warn)], signals(), kept)
        yield {**facts, "warnings": warnings(read_curves(project.root / paths.curves(name)))}


def main() -> int:
    """Runs the stage; returns an exit status."""
    return stage("train", run, recorded=clear_checkpoints)
