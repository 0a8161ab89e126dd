"""Train the in-domain classifier of a data set: python -m stages.reference NAME."""

from genpipe import config
from genpipe.reference import make_reference
from genpipe.running import Facts, stage


def run(name: str) -> Facts:
    """Trains the classifier and stores what it sees in the real images."""
    return make_reference(config.load(), name)


if __name__ == "__main__":
    stage("reference", run)
