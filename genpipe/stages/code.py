"""Write which code each stage runs: genpipe-stage code."""

from genpipe import fingerprints, paths
from genpipe.running import guarded


def main() -> int:
    """Runs the stage; returns an exit status."""
    return guarded(lambda: fingerprints.write(paths.root()))
