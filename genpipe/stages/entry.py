"""From a script of `stages/` to the stage that it runs."""

import sys
from importlib import import_module

from genpipe import paths
from genpipe.errors import UsageError
from genpipe.running import collect_seldom, guarded, leave


def main() -> None:
    """The command `genpipe-stage NAME …`: runs stages/NAME.py of the project, in the Python that has genpipe.

    DVC starts commands by name, and "python" may be one without genpipe.
    """
    leave(guarded(_script))


def run(stage: str) -> None:
    """Runs a stage with the words of the command line, and ends the process."""
    collect_seldom()
    leave(import_module(f"genpipe.stages.{stage}").main())


def _script() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    folder = paths.root() / "stages"
    scripts = sorted(path.stem for path in folder.glob("*.py"))
    if name not in scripts:
        raise UsageError(f"genpipe-stage takes the name of a script in stages/ ({', '.join(scripts)}), not '{name}'.")
    script = folder / f"{name}.py"
    sys.argv = [str(script), *sys.argv[2:]]
    exec(compile(script.read_bytes(), script, "exec"), {"__name__": "__main__", "__file__": str(script)})
