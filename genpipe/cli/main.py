"""The command `genpipe`."""

import sys
from io import TextIOWrapper

from genpipe.config.renamed import answered
from genpipe.errors import UsageError
from genpipe.running.process import fast_exit, relax_gc, run_cli


def main() -> None:
    """Runs the command line and ends the process."""
    relax_gc()
    fast_exit(run())


def run() -> int:
    """Runs the command line and returns an exit status; every expected error is one message on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # names of files need not be text, and are shown nevertheless
            stream.reconfigure(errors="backslashreplace")
    try:
        return run_cli(_called)
    except SystemExit as end:  # as Typer ends
        return int(end.code or 0)


def _called() -> None:
    if told := answered(sys.argv[1:]):
        raise UsageError(told)
    from genpipe.cli.app import app

    app(prog_name="genpipe")
