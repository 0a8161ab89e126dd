"""The command `genpipe`."""

import sys
from io import TextIOWrapper

from genpipe.running import collect_seldom, guarded, leave


def main() -> None:
    """Runs the command line and ends the process."""
    collect_seldom()
    leave(run())


def run() -> int:
    """Runs the command line and gives an exit status; every error that a person can meet is one message on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # names of files need not be text, and are shown nevertheless
            stream.reconfigure(errors="backslashreplace")
    try:
        return guarded(_called)
    except SystemExit as end:  # as Typer ends
        return int(end.code or 0)


def _called() -> None:
    from genpipe.cli.app import app

    app(prog_name="genpipe")
