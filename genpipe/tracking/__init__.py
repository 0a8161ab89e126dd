"""MLflow: a run for every experiment. Files are the truth and MLflow the copy; this room alone imports mlflow.

A server that cannot be reached costs a warning and the copy. A run is found again by the experiment's name and the key
of all that decides its result, so that restored caches, restarted trainings and later stages write to the same one.
"""

import os

from genpipe import paths
from genpipe.config import Project
from genpipe.tracking._store import address
from genpipe.tracking.runs import Tracker

__all__ = ["Tracker", "address", "ui"]


def ui(port: int) -> None:
    """Brings the store up to date with the files, and serves MLflow's pages until stopped."""
    import sys

    print(f"MLflow will answer at http://127.0.0.1:{port} in a moment; Ctrl-C stops it.", flush=True)
    Tracker(Project(paths.root())).mirror_all()
    command = ["-m", "mlflow", "ui", "--backend-store-uri", address(), "--port", str(port)]
    os.execv(sys.executable, [sys.executable, *command])
