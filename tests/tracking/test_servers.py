"""Servers that are down or silent, and the command that shows MLflow's pages."""

import os
import socket
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genpipe import paths
from genpipe.config.project import Project
from genpipe.errors import GenpipeError, UsageError
from genpipe.tracking.pages import ui
from genpipe.tracking.runs import Tracker
from genpipe.tracking.store import within
from tests.tracking._runs import client, runs, trained


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("server", ["down", "silent"])
def test_a_server_that_does_not_answer_costs_one_warning_and_no_training(
    bare: Project, monkeypatch: pytest.MonkeyPatch, silent: str, server: str
) -> None:
    uri = silent if server == "silent" else "http://127.0.0.1:9"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        trained(bare)
    ours = [str(w.message) for w in told if "MLflow at" in str(w.message)]
    assert len(ours) == 1
    assert f"{uri} is left out" in ours[0]
    assert paths.model("first").exists()
    assert time.perf_counter() - start < 30


def test_what_has_no_end_is_waited_for_no_longer_than_allowed(prepared: Project) -> None:
    tracker, start = Tracker(prepared), time.perf_counter()
    with pytest.warns(UserWarning, match="left out from here on: no answer within 0.1 s"):
        tracker.safely(lambda: time.sleep(20), limit_sec=0.1)
    assert tracker.silent
    assert time.perf_counter() - start < 10
    assert within(9.0, lambda: 3) == 3


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would take this process's place."""
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, command: commands.append(command))
    return commands


def test_the_pages_are_served_after_the_runs_are_up_to_date(scored: Project, started: list[Any]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    ui(port)
    assert started[0][1:] == ["-m", "mlflow", "ui", "--backend-store-uri", f"sqlite:///{scored.root}/mlflow.db",
                              "--port", str(port)]  # fmt: skip
    assert [run.info.run_name for run in runs()] == ["first"]


def test_the_pages_need_a_free_port_and_an_experiment_that_is_not_deleted(
    prepared: Project, started: list[Any], silent: str
) -> None:
    taken = int(silent.rpartition(":")[2])
    with pytest.raises(UsageError, match=f"port {taken} cannot be had .* Give another with --port"):
        ui(taken)
    client().delete_experiment(client().create_experiment("genpipe"))
    with pytest.raises(GenpipeError, match="'genpipe' was deleted"):
        ui(0)
    assert not started


def test_of_a_server_only_the_address_is_told(
    bare: Project, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(GenpipeError, match=r"MLflow at http://127\.0\.0\.1:9 cannot be used: "):
        ui(0)
    assert not started
    assert not Path("mlflow.db").exists()
