"""The command `genpipe`."""

import sys

from genpipe.running import guarded


def main() -> None:
    """Runs the command line; every error that a person can meet is one message on stderr and an exit status."""
    sys.exit(guarded(_run))


def _run() -> None:
    from genpipe.cli.app import app

    app(prog_name="genpipe")
