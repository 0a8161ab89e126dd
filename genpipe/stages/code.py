"""Write which code each stage runs: genpipe-stage code.

As it always runs, and before all others, it also refuses what lies where a stage writes and no stage has made: DVC
deletes what is there before that stage runs.
"""

from genpipe import fingerprints, outputs, paths
from genpipe.running import guarded


def main() -> int:
    """Runs the stage; returns an exit status."""
    return guarded(_run)


def _run() -> None:
    root = paths.root()
    outputs.refuse_foreign(root, outputs.of_project(*fingerprints.named(root)), "Move it elsewhere, and run again.")
    fingerprints.write(root)
