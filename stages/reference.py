"""Train the in-domain classifier of a data set: python -m stages.reference NAME."""

from genpipe import config
from genpipe.files import write_json
from genpipe.paths import reference_scores
from genpipe.running import Facts, stage
from genpipe.running.progress import progress
from genpipe.training.reference import make_reference


def run(name: str) -> Facts:
    """Trains the classifier and stores what it sees in the real images."""
    with progress(f"classifier of {name}") as shown:
        facts = make_reference(config.load(), name, [shown])
    write_json(reference_scores(name), {"classifier_accuracy": facts["extractor_accuracy"]})
    return facts


if __name__ == "__main__":
    stage("reference", run)
