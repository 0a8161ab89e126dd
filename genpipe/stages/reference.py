"""Make what the scores of a data set look through: genpipe-stage reference NAME."""

from genpipe import config
from genpipe.files import write_json
from genpipe.paths import reference_scores
from genpipe.running.health import Health
from genpipe.running.inputs import Inputs
from genpipe.running.progress import progress
from genpipe.running.stages import Facts, stage
from genpipe.teaching import make_references


def run(name: str, inputs: Inputs) -> Facts:
    """Trains the classifier where one is asked for, and stores what all extractors see in the real images."""
    with progress(f"reference of {name}") as shown:
        health = Health(shown.warn)
        facts = make_references(config.load(), name, [shown, health], inputs.verify)
    write_json(reference_scores(name), facts)
    yield {**facts, "warnings": health.found}


def main() -> int:
    """Runs the stage; returns an exit status."""
    return stage("reference", run)
