"""Note what an experiment needs before it trains: genpipe-stage prerequisites NAME.

It stands in a dvc.yaml of its own, which the composer writes, as `foreach` gives all trainings the same dependencies.
"""

import sys

from genpipe import paths
from genpipe.artifacts.prerequisites import digests
from genpipe.config.project import load_project
from genpipe.errors import InputsChanged, UsageError
from genpipe.files import write_json
from genpipe.running.process import run_cli


def run() -> None:
    """Writes the hashes of what an experiment needs, by which DVC sees whether it has to be trained again."""
    if len(sys.argv) != 2:
        raise UsageError("genpipe-stage prerequisites takes the name of an experiment, and nothing else.")
    project = load_project()
    experiment = project.experiment(sys.argv[1])
    found = digests(project, experiment)
    write_json(project.root / paths.prerequisites(experiment.name), found)
    if moved := [f"{place} has changed" for place, now in digests(project, experiment).items() if now != found[place]]:
        raise InputsChanged(f"prerequisites of {experiment.name}", moved)  # else DVC takes the new for what was noted


def main() -> int:
    """Runs the stage; returns an exit status."""
    return run_cli(run)
