"""The SQLite file of MLflow's runs: made beside its place, put aside if broken, led along with its project."""

import sqlite3
import warnings
from contextlib import closing
from pathlib import Path

from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from genpipe.errors import GenpipeError
from genpipe.files import atomic_file

BUSY_SEC = 20.0
"""So long another program may be writing."""
_COMPANIONS = ("", "-journal", "-wal", "-shm")
"""What SQLite keeps beside a file; a journal that is left would be played into the next file of the name."""
_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Where MLflow notes whole addresses of artifacts."""


def prepare(store: Path, artifacts: str) -> None:
    """Makes the store where it is missing or broken. Raises GenpipeError if it cannot be used and is none of ours."""
    if bad := {"?", "%"} & set(str(store)):
        raise GenpipeError(
            f"MLflow cannot keep its store at {store}, for there is a {' and a '.join(sorted(bad))} in the path. "
            "Rename the folder, or set MLFLOW_TRACKING_URI."
        )
    flaw = _flaw(store) if store.exists() else None
    if flaw or not store.exists():
        aside = _put_aside(store)
        if flaw:
            warnings.warn(
                f"{store} is broken ({flaw}). It now is {aside.name}, and a new one takes its place. `dvc repro` and "
                "`genpipe ui` fill it from the files of this project.",
                stacklevel=2,
            )
        _make(store, artifacts)


def follow(store: Path, experiment: str, artifacts: str) -> None:
    """Has a store that was copied or moved with its project keep artifacts there, not where the project was before.

    An experiment whose artifacts a person keeps elsewhere (in no folder of that name) stays as it is.
    """
    with closing(sqlite3.connect(store, timeout=BUSY_SEC)) as opened, opened:
        found = opened.execute("SELECT artifact_location FROM experiments WHERE name = ?", [experiment]).fetchone()
        before = found[0] if found else artifacts
        if before == artifacts or not before.startswith("file:") or Path(before).name != Path(artifacts).name:
            return
        for table, column in _ADDRESSES:
            opened.execute(
                f"UPDATE {table} SET {column} = :now || substr({column}, length(:before) + 1) "
                f"WHERE {column} = :before OR substr({column}, 1, length(:before) + 1) = :before || '/'",
                {"now": artifacts, "before": before},
            )


def version(store: Path) -> str:
    """The version of its tables."""
    with closing(sqlite3.connect(store, timeout=BUSY_SEC)) as opened:
        return str(opened.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def _flaw(store: Path) -> str | None:
    """What is wrong with a store, if anything: one that was cut short, whatever did it, holds no run yet."""
    try:
        with closing(sqlite3.connect(store, timeout=BUSY_SEC)) as opened:
            tables = {name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            needed = ("alembic_version", "experiments")
            filled = (table in tables and opened.execute(f"SELECT 1 FROM {table}").fetchone() for table in needed)
            return None if all(filled) else "it was never finished"
    except sqlite3.OperationalError as error:
        raise GenpipeError(
            f"{store} cannot be opened ({error}). End the program that holds it, or see to its permissions."
        ) from None
    except sqlite3.DatabaseError as error:
        return str(error)


def _put_aside(store: Path) -> Path:
    """A free name, under which the file and all that belongs to it now are."""
    numbers = (store.with_name(f"{store.name}.broken-{n}") for n in range(1, 10_000))
    aside = next(path for path in numbers if not any(Path(f"{path}{end}").exists() for end in _COMPANIONS))
    for end in _COMPANIONS:
        if (file := Path(f"{store}{end}")).exists():
            file.rename(f"{aside}{end}")
    return aside


def _make(store: Path, artifacts: str) -> None:
    """A new store; MLflow makes and changes its tables for a second, and a kill in between leaves nothing usable."""
    for left in store.parent.glob(f".{store.name}.*.tmp*"):
        left.unlink()
    with atomic_file(store) as temporary:
        SqlAlchemyStore(f"sqlite:///{temporary}", artifacts).engine.dispose()
