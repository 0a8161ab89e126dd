"""Everything that is wrong in the YAML files, before anything runs: python -m stages.check."""

import sys

from genpipe import config, paths
from genpipe.files import write_json
from genpipe.running import guarded


def check() -> None:
    """Validates all experiments; the file that it writes never changes, so that nothing runs again because of it."""
    project = config.load()
    project.check()
    write_json(paths.CHECKED, {"valid": True})


if __name__ == "__main__":
    sys.exit(guarded(check))
