"""MLflow: a run for every experiment. Files are the truth and MLflow the copy; this room alone imports mlflow.

A server that cannot be reached costs a warning and the copy. A run is found again by the experiment's name and the key
of all that decides its result, so that restored caches, restarted trainings and later stages write to the same one.
"""

import os
import socket
import sys

from genpipe import paths
from genpipe.config import Project
from genpipe.errors import GenpipeError, UsageError
from genpipe.tracking._store import address, brief, within
from genpipe.tracking.runs import CALL_SEC, Tracker
from genpipe.tracking.served import download

__all__ = ["Tracker", "address", "download", "ui"]


def ui(port: int) -> None:
    """Brings the store up to date with the files, and serves MLflow's pages until stopped.

    Raises UsageError if the port is taken, GenpipeError if MLflow cannot be used.
    """
    served = not address().startswith("http")
    if served:
        _free(port)
    tracker = Tracker(Project(paths.root()))
    _reach(tracker)
    if served:
        print(f"MLflow will answer at http://127.0.0.1:{port} in a moment; Ctrl-C stops it.", flush=True)
    tracker.mirror_all()
    if not served:
        print(f"All runs are at {address()}, where MLFLOW_TRACKING_URI leads to.")
        return
    command = ["-m", "mlflow", "ui", "--backend-store-uri", address(), "--port", str(port)]
    os.execv(sys.executable, [sys.executable, *command])


def _reach(tracker: Tracker) -> None:
    try:
        within(CALL_SEC, tracker.connect)
    except GenpipeError:
        raise
    except Exception as error:
        raise GenpipeError(f"MLflow at {address()} cannot be used: {brief(error)}") from None


def _free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UsageError(f"port {port} cannot be had ({error.strerror}). Give another with --port.") from None
