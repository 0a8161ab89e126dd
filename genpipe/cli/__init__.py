"""The command `genpipe`."""

import sys

from genpipe.errors import GenpipeError


def main() -> None:
    """Runs the command line; every error that a person can meet is one message on stderr and an exit status."""
    try:
        from genpipe.cli.app import app

        app(prog_name="genpipe")
    except GenpipeError as error:
        _fail(str(error), error.exit_status)
    except OSError as error:
        _fail(f"{error.strerror or error}: {error.filename}" if error.filename else str(error), 1)
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(message: str, status: int) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)
