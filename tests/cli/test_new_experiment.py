import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genpipe.project import recipes

Run = Callable[..., Any]
Contents = Callable[[], dict[str, str]]


def test_it_writes_both_files_and_says_what_comes_next(genpipe: Run, contents: Contents) -> None:
    before = contents()
    done = genpipe("new-experiment", "fresh", "--recipe", "vae", "--set", "train.steps=5", "--profile", "smoke")
    assert (done.status, done.err) == (0, "")
    measured = recipes.recipe("vae").cost["smoke"]
    assert measured is not None
    assert done.out.splitlines() == [
        "Wrote pipelines/fresh.yaml and params.yaml.",
        "fresh: vae on mnist5k, 108,481 parameters",
        "  tensors in training, without PyTorch itself: 11.1 MB (weights 436 kB, gradients 434 kB, optimizer state "
        "868 kB, averaged copy 436 kB, activations of one batch 8.93 MB; training images not known yet)",
        f"The unchanged recipe was measured to train in {measured.in_words()}.",
        "Stages to run: check, prepare@mnist5k, reference@mnist5k, train@fresh, sample@fresh, evaluate@fresh, report",
        "Next: dvc repro",
    ]
    after = contents()
    assert {name for name in after if after[name] != before.get(name)} == {"pipelines/fresh.yaml", "params.yaml"}
    assert "  steps: 5  " in after["pipelines/fresh.yaml"]
    assert "  images: 200  " in after["pipelines/fresh.yaml"]


def test_a_dry_run_shows_and_writes_nothing(genpipe: Run, contents: Contents) -> None:
    before = contents()
    done = genpipe("new-experiment", "fresh", "--recipe", "vae", "--dry-run")
    assert done.status == 0
    assert "+    fresh: {model: vae, data: mnist5k}\n" in done.out
    assert "+++ pipelines/fresh.yaml" in done.out
    assert "train@fresh, sample@fresh, evaluate@fresh, report" in done.out
    assert "\x1b" not in done.out
    assert contents() == before


def test_a_dry_run_is_colored_where_colors_are_seen(genpipe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[32m+    fresh:" in genpipe("new-experiment", "fresh", "--recipe", "vae", "--dry-run").out


def test_a_dry_run_refuses_what_dvc_would_refuse(genpipe: Run) -> None:
    done = genpipe("new-experiment", "checked.json", "--recipe", "vae", "--dry-run")
    assert (done.status, "DVC would refuse" in done.err) == (1, True)


def test_twice_is_once(genpipe: Run, contents: Contents) -> None:
    genpipe("new-experiment", "fresh", "--recipe", "pca")
    before = contents()
    done = genpipe("new-experiment", "fresh", "--recipe", "pca")
    assert done.status == 0
    assert done.out.startswith(
        "fresh already exists as given: nothing changed.\nfresh: pca on mnist5k, no parameters to train"
    )
    assert contents() == before


def test_force_replaces(genpipe: Run, contents: Contents) -> None:
    before = contents()
    words = ("new-experiment", "vae", "--recipe", "vae", "--set", "train.steps=5")
    refused = genpipe(*words)
    assert (refused.status, contents()) == (1, before)
    assert "--force" in refused.err
    assert genpipe(*words, "--force").status == 0
    assert contents()["pipelines/vae.yaml"] != before["pipelines/vae.yaml"]


def test_a_script_gets_json(genpipe: Run) -> None:
    words = ("new-experiment", "fresh", "--from", "vae", "--json")
    dry, done = (json.loads(genpipe(*words, *more).out) for more in (["--dry-run"], []))
    assert dry == {**done, "written": False}
    assert done["written"] is True
    assert done["files"] == ["pipelines/fresh.yaml", "params.yaml"]
    (row,) = done["experiments"]
    assert (row["experiment"], row["parameters"], done["next"]) == ("fresh", 108481, "dvc repro")
    assert row["memory_bytes"]["total"] == sum(v or 0 for k, v in row["memory_bytes"].items() if k != "total")


def test_it_works_from_a_subfolder(genpipe: Run, small_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small_project / "pipelines")
    assert genpipe("new-experiment", "fresh", "--recipe", "pca").out.endswith("Next: cd .. && dvc repro\n")
    assert (small_project / "pipelines" / "fresh.yaml").is_file()


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ("../fresh --recipe vae", 2, "error: an experiment cannot be called '../fresh'"),
        ("fresh --recipe vea", 1, "error: no recipe is called 'vea'. Did you mean 'vae'?"),
        ("fresh --recipe vae --data mnist", 1, "Did you mean 'mnist5k'?"),
        ("fresh --recipe vae --set train.steps", 2, "error: --set train.steps: a path, '=' and a value"),
        ("fresh --recipe vae --set train.stps=3", 1, "Did you mean 'train.steps'?"),
        ("fresh --recipe vae --set train.steps=-3", 1, "should be greater than or equal to 0, but -3 is given"),
        ("fresh --recipe vae --profile huge", 2, "huge"),
        ("fresh", 2, "one recipe or"),
    ],
)
def test_mistakes(genpipe: Run, contents: Contents, words: str, status: int, message: str) -> None:
    before = contents()
    done = genpipe("new-experiment", *words.split())
    assert (done.status, done.out) == (status, "")
    assert message in done.err
    assert contents() == before
