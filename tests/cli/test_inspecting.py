import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from genpipe import registry
from genpipe.cli import _screen
from genpipe.config.project import Project
from genpipe.project import recipes
from genpipe.reporting import leaderboard

Run = Callable[..., Any]
FID = ("fid_classifier", "fid_classifier_low", "fid_classifier_high")
ROWS = [
    {"experiment": "vae", "model": "vae", "data": "mnist5k"}
    | dict(zip(FID, (12.345678, 12.0, 12.75), strict=True))
    | {"note": None},
    {"experiment": "pca", "model": "pca", "data": "mnist5k"}
    | dict(zip(FID, (99.0, None, None), strict=True))
    | {"note": "[x]"},
]


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Lets there be scores; the roots that were asked for them."""
    asked: list[Path] = []

    def rows(root: Path) -> list[dict[str, Any]]:
        asked.append(root)
        return ROWS

    reporting: Any = ModuleType("genpipe.reporting")
    reporting.leaderboard = SimpleNamespace(rows=rows, LOW=leaderboard.LOW, HIGH=leaderboard.HIGH)
    monkeypatch.setitem(sys.modules, "genpipe.reporting", reporting)
    return asked


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("models", registry.names("models")),
        ("metrics", registry.names("metrics")),
        ("analyses", registry.names("analyses")),
        ("recipes", recipes.names()),
    ],
)
def test_list(genpipe: Run, what: str, names: list[str]) -> None:
    shown = genpipe("list", what).out.splitlines()
    rows = json.loads(genpipe("list", what, "--json").out)
    assert names
    assert [line.split()[0] for line in shown] == [row["name"] for row in rows] == names
    assert all(row["summary"] and line.endswith(row["summary"]) for row, line in zip(rows, shown, strict=True))


def test_list_data_tells_data_sets_from_sources(genpipe: Run) -> None:
    rows = json.loads(genpipe("list", "data", "--json").out)
    assert [row["name"] for row in rows if row["kind"] == "data set"] == ["mnist5k"]
    assert [row["name"] for row in rows if row["kind"] == "data source"] == registry.names("data")
    assert genpipe("list", "data").out.split()[:7] == [
        "mnist5k",
        "data",
        "set",
        "source",
        "mnist5k,",
        "image_size",
        "32,",
    ]


def test_show_gives_every_value_with_where_it_comes_from(genpipe: Run, small_project: Path) -> None:
    file = small_project / "pipelines" / "vae.yaml"
    file.write_text(file.read_text().replace("  kl_weight:", "  #kl_weight:"))
    resolved = Project(small_project).experiment("vae").resolved()
    shown = genpipe("show", "vae", "--no-status").out
    assert yaml.safe_load(shown) == resolved
    remarks = {line.split(":")[0].strip(): line.rpartition("# ")[2] for line in shown.splitlines() if "# " in line}
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "latent_dim" in text)
    assert remarks["latent_dim"] == f"pipelines/vae.yaml:{line}"
    assert remarks["kl_weight"] == "default"
    assert remarks["model_name"] == remarks["data"] == "params.yaml:15"
    found = json.loads(genpipe("show", "vae", "--no-status", "--json").out)
    assert found["resolved"] == resolved
    assert found["from"]["model.latent_dim"] == remarks["latent_dim"]
    assert len(found["from"]) == shown.count("# ")


def test_show_tells_which_stages_are_stale(genpipe: Run, small_project: Path) -> None:
    from dvc.repo import Repo

    assert "# DVC cannot tell which stages are stale" in genpipe("show", "vae").out
    Repo.init(str(small_project), no_scm=True).close()
    stale = json.loads(genpipe("show", "vae", "--json").out)["stale"]
    own = ["train@vae", "sample@vae", "evaluate@vae"]
    assert set(own) <= set(stale) <= {*own, "prepare@mnist5k", "reference@mnist5k"}
    assert [stage for stage in stale if stage in own] == own
    assert stale["sample@vae"] == ["has never run"]
    assert re.search(r"#   train@vae +has never run\n", genpipe("show", "vae").out)


@pytest.mark.parametrize("name", ["vea", "../vae"])
def test_show_knows_the_nearest_name(genpipe: Run, name: str) -> None:
    done = genpipe("show", name)
    assert (done.status, done.out) == (1, "")
    assert f"called '{name}'. Did you mean 'vae'?" in done.err


def test_compare_shows_all_figures(genpipe: Run, scored: list[Path], small_project: Path) -> None:
    header, model_class, fid, note, _ = genpipe("compare").out.splitlines()
    assert header.split() == ["mnist5k", "vae", "pca"]
    assert model_class.split() == ["model", "vae", "pca"]
    assert fid.split() == ["fid_classifier", "12.35", "[12,", "12.75]", "99"]
    assert note.split() == ["note", "–", "[x]"]
    assert scored == [small_project]


@pytest.mark.parametrize(
    ("width", "together"), [(200, [["a", "b", "c"]]), (40, [["a", "b"], ["c"]]), (5, [["a"], ["b"], ["c"]])]
)
def test_what_the_screen_is_too_narrow_for_comes_below(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, together: list[list[str]]
) -> None:
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setenv("COLUMNS", str(width))
    _screen.side_by_side("data", {name: {"fid": f"{name} [1.0, 2.0]"} for name in "abc"})
    headers = [line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.startswith("data")]
    assert headers == together


def test_compare_takes_the_named_in_their_order(genpipe: Run, scored: list[Path]) -> None:
    assert json.loads(genpipe("compare", "pca", "vae", "--json").out) == ROWS[::-1]
    assert json.loads(genpipe("compare", "--json").out) == ROWS
    done = genpipe("compare", "pac")
    assert (done.status, "Did you mean 'pca'?" in done.err) == (1, True)


def test_compare_without_scores(genpipe: Run, scored: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["genpipe.reporting"].leaderboard, "rows", lambda root: [])
    assert genpipe("compare").out == "There are no scores yet. `dvc repro` makes them.\n"
    assert json.loads(genpipe("compare", "--json").out) == []


def test_check_counts(genpipe: Run, small_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small_project / "pipelines")
    assert genpipe("check").out == "1 experiment is fine\n"


def test_check_names_classes_without_training_images(genpipe: Run, small_project: Path) -> None:
    labels = np.arange(40) % 4 + 1
    np.savez(small_project / "x.npz", images=np.zeros((40, 16, 16), np.uint8), labels=labels)
    genpipe("data", "add", "own", "--source", "arrays", "--path", "x.npz", "--image-size", "16")
    told = "datasets.own: no training images of class 0, which is neither generated nor scored\n"
    assert told in genpipe("check").out
    assert "No training images, so neither generated nor scored: 0\n" in genpipe("data", "inspect", "own").out


def test_check_shows_all_problems_at_once(genpipe: Run, small_project: Path) -> None:
    file = small_project / "pipelines" / "vae.yaml"
    file.write_text(file.read_text().replace("  steps:", "  stepz:").replace("batch_size: 500", "batch_size: 0"))
    done = genpipe("check")
    assert (done.status, done.out) == (1, "")
    assert "train.stepz: unknown key. Did you mean 'steps'?" in done.err
    assert "sample.batch_size: should be greater than or equal to 1, but 0 is given." in done.err
