import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
Contents = Callable[[], dict[str, str]]


@pytest.fixture
def committed(small_project: Path) -> Path:
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "1"]):
        subprocess.run(["git", *words], cwd=small_project, check=True)
    return small_project


def test_a_grid_says_what_it_costs_in_few_lines(genpipe: Run, small_project: Path) -> None:
    done = genpipe("new-experiment", "x", "--recipe", "vae", "--grid", "train.steps=5,6", "--seeds", "3")
    assert (done.status, done.err) == (0, "")
    wrote, cost, memory, measured, stages, after = done.out.splitlines()
    assert wrote.startswith("Wrote pipelines/x-steps-5-seed-0.yaml, ")
    assert wrote.endswith(" and 2 more.")
    assert cost.endswith("each: vae on mnist5k, 108,481 parameters")
    assert memory.startswith("  tensors in training")
    assert measured.startswith("The unchanged recipe was measured to train in 25 s on two cores")
    assert stages == (
        "Stages to run: check, prepare@mnist5k, reference@mnist5k, {train, sample, evaluate} of 6 experiments, report"
    )
    assert after == "Next: dvc repro"
    assert len(list((small_project / "pipelines").glob("x-steps-*-seed-*.yaml"))) == 6


def test_a_script_gets_all_experiments_of_a_grid(genpipe: Run) -> None:
    found = json.loads(genpipe("new-experiment", "x", "--recipe", "ae", "--seeds", "2", "--dry-run", "--json").out)
    assert [row["experiment"] for row in found["experiments"]] == ["x-seed-0", "x-seed-1"]
    assert found["measured"] == {"sec": 12.0, "machine": "two cores of an AMD EPYC"}
    assert (found["written"], len(found["files"])) == (False, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--recipe vae --seeds 2", "a name is needed"),
        ("", "a name is needed"),
        ("x --recipe vae --seeds 0", "--seeds 0: 1 or more are needed"),
        ("x --recipe vae --grid model.architecture=mlp,mlp", "mlp is given twice"),
        ("x --recipe vae --grid model.architecture", "--grid model.architecture: a path, '=' and a value"),
    ],
)
def test_wrong_flags(genpipe: Run, contents: Contents, words: str, message: str) -> None:
    before = contents()
    done = genpipe("new-experiment", *words.split())
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert contents() == before


def test_remove_says_what_went_and_what_is_left(genpipe: Run, committed: Path) -> None:
    scores = committed / "reports" / "scores" / "vae.json"
    scores.parent.mkdir(parents=True)
    scores.write_text('{"how": {}}')
    dry = genpipe("remove", "vae", "--dry-run")
    assert "-    vae: {model: vae, data: mnist5k} # the first\n" in dry.out
    assert "That would remove pipelines/vae.yaml and the line of params.yaml." in dry.out
    assert (committed / "pipelines" / "vae.yaml").exists()
    assert genpipe("remove", "vae").out.splitlines() == [
        "Removed pipelines/vae.yaml and the line of params.yaml.",
        "Left: reports/scores/vae.json",
        "To delete that: genpipe remove vae --outputs",
        "Next, for a report without it: dvc repro",
    ]
    assert genpipe("remove", "vae", "--outputs").out.startswith("Removed reports/scores/vae.json.\n")
    assert not scores.exists()
    done = genpipe("remove", "vae")
    assert (done.status, done.err) == (1, "error: no experiment in params.yaml is called 'vae'. Available: none.\n")


def test_remove_does_not_lose_work(genpipe: Run, contents: Contents) -> None:
    before = contents()
    done = genpipe("remove", "vae")
    assert (done.status, contents()) == (1, before)
    assert "git does not hold it" in done.err
    assert genpipe("remove", "vae", "--force").status == 0


def test_rename_is_honest_about_what_runs_again(genpipe: Run, small_project: Path) -> None:
    (small_project / "runs" / "vae" / "model").mkdir(parents=True)
    done = genpipe("rename", "vae", "first", "--dry-run")
    assert "Nothing is written." in done.out
    assert (small_project / "pipelines" / "vae.yaml").exists()
    assert genpipe("rename", "vae", "first").out.splitlines() == [
        "vae is now called first.",
        "It will be trained again: DVC finds a result by its command, and the name is part of it.",
        "Left of vae: runs/vae/model",
        "To delete that: genpipe remove vae --outputs",
        "Stages to run: check, prepare@mnist5k, reference@mnist5k, train@first, sample@first, evaluate@first, report",
        "Next: dvc repro",
    ]
    assert genpipe("check", "first").out == "first is fine\n"
    assert genpipe("check", "vae").status == 1


def test_check_names_files_of_no_experiment(genpipe: Run, small_project: Path) -> None:
    (small_project / "pipelines" / "stray.yaml").write_text("seed: 0\n")
    assert genpipe("check").out == (
        "1 experiment is fine\npipelines/stray.yaml belongs to no experiment of params.yaml\n"
    )
