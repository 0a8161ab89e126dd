"""Write which code each stage runs: genpipe-stage code.

As it always runs, and before all others, it also refuses what lies where a stage writes and no stage has made: DVC
deletes what is there before that stage runs.
"""

from genpipe import fingerprints, outputs, paths, registry
from genpipe.running.process import run_cli


def main() -> int:
    """Runs the stage; returns an exit status."""
    return run_cli(_run)


def _run() -> None:
    root = paths.root()
    with fingerprints.Reader(root) as reader:
        registry.use(reader.packages)
        places = outputs.of_project(reader.datasets, reader.experiments)
        outputs.refuse_foreign(root, places, "Move it elsewhere, and run again.")
        reader.write()
