"""Everything that is wrong in the YAML files, before anything runs: genpipe-stage check."""

from genpipe import paths
from genpipe.config.project import load_project
from genpipe.files import atomic_directory, write_json
from genpipe.project.checking import verify
from genpipe.running.stages import single


def check() -> None:
    """Validates all experiments, and looks whether a person's own pictures have changed.

    What it writes is the same until they have, so that nothing runs again because of it.
    """
    project = load_project()
    verify(project)
    with atomic_directory(paths.SOURCE_STATES) as folder:
        for name in project.index.datasets:
            write_json(folder / paths.source_state(name).name, project.data(name).source_state())
    write_json(paths.CHECKED, {"valid": True})


def main() -> int:
    """Runs the stage; returns an exit status."""
    return single("check", check)
