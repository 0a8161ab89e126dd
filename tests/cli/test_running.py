import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was asked of the library, and from which folder."""
    asked: list[tuple[Any, ...]] = []
    sampling: Any = ModuleType("genpipe.sampling.drawing")
    sampling.draw_grid = lambda root, experiment, *given, **options: asked.append(
        (root, experiment.name, *given, options)
    )
    tracking: Any = ModuleType("genpipe.tracking.pages")
    tracking.ui = lambda port: asked.append((port, Path.cwd()))
    monkeypatch.setitem(sys.modules, "genpipe.sampling.drawing", sampling)
    monkeypatch.setitem(sys.modules, "genpipe.tracking.pages", tracking)
    return asked


@pytest.fixture
def below(genpipe: Run, small_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = small_project / "below"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_sample_draws_where_the_person_stands(genpipe: Run, calls: list[Any], small_project: Path, below: Path) -> None:
    done = genpipe("sample", "vae", "-n", "9", "-o", "nine.png", "--seed", "3", "--set", "truncation=0.5")
    assert (done.status, done.out) == (0, "Wrote nine.png.\n")
    assert calls == [(small_project, "vae", 9, 3, Path("nine.png"), {"truncation": 0.5})]


def test_sample_refuses_to_overwrite(genpipe: Run, calls: list[Any], below: Path) -> None:
    (below / "grid.png").write_text("mine")
    done = genpipe("sample", "vae")
    assert (done.status, calls) == (1, [])
    assert "grid.png exists" in done.err
    assert genpipe("sample", "vae", "--force").status == 0
    assert len(calls) == 1


@pytest.mark.parametrize("name", ["vea", "../vae"])
def test_sample_knows_the_nearest_name(genpipe: Run, calls: list[Any], name: str) -> None:
    done = genpipe("sample", name)
    assert (done.status, calls) == (1, [])
    assert "Did you mean 'vae'?" in done.err


def test_ui_serves_the_store_of_the_project(genpipe: Run, calls: list[Any], small_project: Path, below: Path) -> None:
    assert genpipe("ui", "--port", "5001").status == 0
    assert calls == [(5001, small_project)]
