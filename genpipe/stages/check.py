"""Everything that is wrong in the YAML files, before anything runs: genpipe-stage check."""

from genpipe import config, paths
from genpipe.composing import verify
from genpipe.files import whole_folder, write_json
from genpipe.running.stages import single


def check() -> None:
    """Validates all experiments, and looks whether a person's own pictures have changed.

    What it writes is the same until they have, so that nothing runs again because of it.
    """
    project = config.load()
    verify(project)
    with whole_folder(paths.SEEN) as folder:
        for name in project.index.datasets:
            write_json(folder / paths.seen(name).name, project.data(name).seen())
    write_json(paths.CHECKED, {"valid": True})


def main() -> int:
    """Runs the stage; returns an exit status."""
    return single("check", check)
