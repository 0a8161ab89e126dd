"""The local store: made whole, put aside when it is broken, and at home where its project is."""

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
from filelock import FileLock

from genpipe import paths
from genpipe.config.project import Project, load_project
from genpipe.errors import GenpipeError
from genpipe.tracking import _database, store
from genpipe.tracking.runs import Tracker
from genpipe.tracking.store import address
from tests._forks import Fork, Forks
from tests._projects import ROOT, environment
from tests.tracking._runs import client, rows, runs, trained

CONNECT = """
from genpipe.config.project import load_project
from genpipe.tracking.runs import Tracker

Tracker(load_project()).connect()
"""


@pytest.fixture
def connecting(forks: Forks, bare: Project, tmp_path: Path) -> Callable[[], Fork]:
    """Starts a program that opens the store."""
    script = tmp_path / "connect.py"
    script.write_text(CONNECT)
    return lambda: Fork(forks, ["python", str(script)], bare.root, {**environment(), "PYTHONPATH": str(ROOT)})


def test_the_store_is_in_the_root_also_from_a_temporary_workspace(project: Path, monkeypatch, tmp_path: Path) -> None:
    assert address() == f"sqlite:///{project}/mlflow.db"
    monkeypatch.setenv("DVC_ROOT", "/elsewhere")
    assert address() == "sqlite:////elsewhere/mlflow.db"
    (tmp_path / "link").symlink_to("/elsewhere")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "link"))
    assert address() == "sqlite:////elsewhere/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:1")
    assert address() == "http://localhost:1"


def read_in(project: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Brings a project's runs up to date, loads picture and model of its only run; gives where they are."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(project)
    Tracker(load_project()).mirror_all()
    (run,) = runs()
    picture = Path(client().download_artifacts(run.info.run_id, "figures/sample_grid.png"))
    assert picture.read_bytes() == (project / paths.figures("first") / "sample_grid.png").read_bytes()
    model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    assert len(model.predict([{"n": 2, "seed": 0}])[0]) == 2
    return str(run.info.artifact_uri)


@pytest.mark.parametrize("how", ["copied", "moved"])
def test_artifacts_are_where_the_project_is(
    scored: Project, how: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    here, there = scored.root, tmp_path_factory.mktemp("there") / "it is 'here'"
    assert read_in(here, monkeypatch).startswith(f"file://{here}/mlartifacts/")
    before = rows(here / "mlflow.db"), sorted(here.rglob("*"))
    if how == "moved":
        monkeypatch.chdir(there.parent)
        here.rename(there)
    else:
        shutil.copytree(here, there)
    assert read_in(there, monkeypatch).startswith(f"{(there / 'mlartifacts').as_uri()}/")
    if how == "copied":
        client().delete_run(runs()[0].info.run_id)  # so that it is made anew, with artifacts
        assert read_in(there, monkeypatch).startswith(f"{(there / 'mlartifacts').as_uri()}/")
        assert (rows(here / "mlflow.db"), sorted(here.rglob("*"))) == before, "the original is as it was"
    assert str(here) not in "\n".join(row for row in rows(there / "mlflow.db") if "INSERT" in row and "://" in row)


def test_artifacts_that_a_person_keeps_elsewhere_stay_there(prepared: Project, tmp_path: Path) -> None:
    client().create_experiment("genpipe", artifact_location=f"file://{tmp_path}/large-disk")
    Tracker(prepared).connect()
    Tracker(prepared).connect()
    assert client().get_experiment_by_name("genpipe").artifact_location == f"file://{tmp_path}/large-disk"


def test_many_processes_may_open_a_new_store_at_once(connecting: Callable[[], Fork]) -> None:
    processes = [connecting() for _ in range(3)]
    said = [p.communicate()[0] for p in processes]
    assert [p.returncode for p in processes] == [0, 0, 0], said
    assert len(client().search_experiments(filter_string="name = 'genpipe'")) == 1


def files_of_stores(root: Path) -> set[Path]:
    return {file for file in root.glob("*mlflow.db*") if file.suffix != ".lock"}


def test_a_kill_at_any_moment_leaves_no_half_of_a_store(bare: Project, connecting: Callable[[], Fork]) -> None:
    store = bare.root / "mlflow.db"
    for moment_sec in (0.8, 0.3, 0.02):
        store.unlink(missing_ok=True)
        before = files_of_stores(bare.root)
        process = connecting()
        while not files_of_stores(bare.root) - before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moment_sec)
        process.kill()
        process.communicate()
        assert not store.exists() or _database._flaw(store) is None
    assert any(file.suffix == ".tmp" for file in files_of_stores(bare.root))
    Tracker(bare).connect()
    assert files_of_stores(bare.root) == {store}


def half_made(store: Path) -> None:
    with closing(sqlite3.connect(store)) as opened, opened:
        opened.execute("DELETE FROM experiments")
        opened.execute("UPDATE alembic_version SET version_num = '2d6e25af4d3e'")
        opened.execute("DROP TABLE logged_models")


BROKEN = {
    "it was never finished": half_made,
    "file is not a database": lambda store: store.write_text("a person's notes " * 99),
    "database disk image is malformed": lambda store: store.write_bytes(store.read_bytes()[:40_000]),
    "it was never finished ": lambda store: store.write_bytes(b""),
}


@pytest.mark.parametrize("flaw", BROKEN)
def test_a_broken_store_is_put_aside_and_a_new_one_is_filled(scored: Project, flaw: str) -> None:
    BROKEN[flaw](Path("mlflow.db"))
    broken = Path("mlflow.db").read_bytes()
    Path("mlflow.db.broken-1").write_text("an older one")
    Path("mlflow.db-wal").write_text("")
    with pytest.warns(UserWarning, match=rf"mlflow\.db is broken \({flaw.strip()}\)\. It now is mlflow\.db\.broken-2"):
        Tracker(scored).mirror_all()
    assert Path("mlflow.db.broken-2").read_bytes() == broken
    assert Path("mlflow.db.broken-2-wal").exists()
    assert Path("mlflow.db.broken-1").read_text() == "an older one"
    assert [run.info.status for run in runs()] == ["FINISHED"]


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("f00df00df00d", r"by an MLflow newer than .*left alone"),
        ("2d6e25af4d3e", r"older than .*mlflow db upgrade"),
    ],
)
def test_a_store_of_another_version_is_left_alone(prepared: Project, version: str, told: str) -> None:
    with closing(sqlite3.connect("mlflow.db")) as opened, opened:
        opened.execute("UPDATE alembic_version SET version_num = ?", [version])
    before = Path("mlflow.db").read_bytes()
    with pytest.raises(GenpipeError, match=told):
        Tracker(prepared).connect()
    assert Path("mlflow.db").read_bytes() == before


@pytest.mark.parametrize("character", ["%", "?"])
def test_a_place_that_an_address_cannot_name_is_refused(character: str, tmp_path: Path) -> None:
    with pytest.raises(GenpipeError, match=rf"there is a \{character} in the path"):
        _database.prepare(tmp_path / f"100{character}41" / "mlflow.db", "")
    assert not list(tmp_path.iterdir())


def test_a_training_waits_for_the_lock_of_the_store_for_a_while_only(
    prepared: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "WAIT_SEC", 0.1)
    told = pytest.warns(UserWarning, match=r"left out from here on: another process holds .*mlflow\.db\.lock \(to ")
    with FileLock("mlflow.db.lock"), told:
        trained(prepared)
    assert paths.model("first").exists()


def test_a_store_that_another_program_keeps_is_no_broken_one(
    prepared: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_database, "BUSY_SEC", 0.1)
    with closing(sqlite3.connect("mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(GenpipeError, match=r"cannot be opened .database is locked.\. End the program that"):
            Tracker(prepared).connect()
    Tracker(prepared).connect()


def test_a_deleted_experiment_can_be_restored_or_another_be_set(
    prepared: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = client().create_experiment("genpipe")
    client().delete_experiment(number)
    restore = f"mlflow experiments restore --experiment-id {number}"
    with pytest.warns(UserWarning, match=rf"'genpipe' was deleted\. Restore it .*{restore}.*or set MLFLOW_EXP"):
        trained(prepared)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "another")
    trained(prepared)
    another = client().get_experiment_by_name("another").experiment_id
    assert [run.info.run_name for run in client().search_runs([another])] == ["first"]
