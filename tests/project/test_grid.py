from collections.abc import Callable
from pathlib import Path

import pytest

from genpipe import files
from genpipe.config.project import Project
from genpipe.config.validation import NAME
from genpipe.errors import ConfigError, ExistsError, UnknownName, UsageError
from genpipe.project.grid import variants
from genpipe.project.new_experiment import ExperimentRequest, plan
from genpipe.project.plan import Plan

Contents = Callable[[], dict[str, str]]


def names(*grids: str, seeds: int | None = None) -> list[str]:
    return [name for name, _ in variants("vae", [], grids, seeds)]


def test_nothing_to_vary_is_one_experiment() -> None:
    assert variants("vae", ["train.steps=5"], [], None) == [("vae", [("train.steps", "5")])]


def test_a_grid_is_every_combination_and_seeds_come_last() -> None:
    found = variants("vae", ["train.steps=5"], ["model.latent_dim=8,16", "model.architecture=mlp,conv"], 2)
    assert [name for name, _ in found][:3] == [
        "vae-latent_dim-8-architecture-mlp-seed-0",
        "vae-latent_dim-8-architecture-mlp-seed-1",
        "vae-latent_dim-8-architecture-conv-seed-0",
    ]
    assert len(found) == len({name for name, _ in found}) == 8
    assert found[-1][1] == [
        *(("train.steps", "5"), ("model.latent_dim", "16")),
        *(("model.architecture", "conv"), ("seed", "1")),
    ]


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        ("model.widths=[16, 32],[8]", ["vae-widths-16-32", "vae-widths-8"]),
        ("optim.a.lr=1.0e-3,2e-4", ["vae-lr-1.0e-3", "vae-lr-2e-4"]),
        ("model.x=-1,1", ["vae-x-minus1", "vae-x-1"]),
        ("model.x=[1],1,'1'", ["vae-x-1", "vae-x-1-2", "vae-x-1-3"]),
        ("model.x=a,A", ["vae-x-a", "vae-x-A-2"]),
        ("model.x=é,☃", ["vae-x-none", "vae-x-none-2"]),
        (f"model.x={'a' * 90},{'a' * 91}", [f"vae-x-{'a' * 24}", f"vae-x-{'a' * 24}-2"]),
        ("model.x={a: ../b}", ["vae-x-a-..-b"]),
    ],
)
def test_names_can_be_read_and_differ(grid: str, expected: list[str]) -> None:
    assert names(grid) == expected
    assert all(NAME.fullmatch(name) for name in expected)


def test_paths_that_end_alike_keep_the_words_that_differ() -> None:
    assert names("optim.generator.lr=1", "optim.discriminator.lr=2", "model.x=3") == [
        "vae-generator.lr-1-discriminator.lr-2-x-3"
    ]


@pytest.mark.parametrize(
    ("sets", "grids", "seeds", "message"),
    [
        ([], ["model.x"], None, "--grid model.x: a path, '=' and a value"),
        ([], ["model.x="], None, "no value is given"),
        ([], ["model.x=1,2,1"], None, "1 is given twice"),
        ([], ["model.x=1", "model.x=2"], None, "model.x is varied twice"),
        ([], ["seed=1,2"], 2, "seed is varied twice"),
        (["model.x=1"], ["model.x=2"], None, "both set and varied"),
        (["seed=1"], [], 2, "both set and varied"),
        ([], [], 0, "--seeds 0: 1 or more"),
        ([], [], 501, "501 experiments, and 500"),
        ([], ["a=1,2", "b=1,2,3"], 100, "600 experiments"),
        ([], ["model.x=1], b: [2"], None, "--grid model.x"),
    ],
)
def test_what_is_no_grid_is_refused(sets: list[str], grids: list[str], seeds: int | None, message: str) -> None:
    with pytest.raises((UsageError, ConfigError)) as caught:
        variants("vae", sets, grids, seeds)
    assert message in str(caught.value)


def grid(root: Path, *axes: str, force: bool = False, seeds: int | None = None, **more: str) -> Plan:
    return plan(Project(root), ExperimentRequest("x", "vae", grid=axes, seeds=seeds, **more), force=force)  # type: ignore[arg-type]


def test_all_experiments_of_a_grid_are_written(small_project: Path) -> None:
    grid(small_project, "model.latent_dim=2,3", seeds=2).write()
    project = Project(small_project)
    found = {name: project.experiment(name) for name in project.index.experiments if name.startswith("x")}
    assert {name: (e.resolved()["model"]["latent_dim"], e.knobs.seed) for name, e in found.items()} == {
        f"x-latent_dim-{size}-seed-{seed}": (size, seed) for size in (2, 3) for seed in (0, 1)
    }


def test_a_grid_that_grows_runs_only_what_is_new(small_project: Path) -> None:
    grid(small_project, "model.latent_dim=2").write()
    more = grid(small_project, "model.latent_dim=2,3")
    assert more.fresh == {"x-latent_dim-3"}
    assert [str(change.file) for change in more.changes] == ["pipelines/x-latent_dim-3.yaml", "params.yaml"]
    assert not any("latent_dim-2" in stage for stage in more.stages())
    assert more.stages().count("prepare@mnist5k") == 1


def test_one_bad_value_writes_nothing(small_project: Path, contents: Contents) -> None:
    before = contents()
    with pytest.raises(ConfigError, match=r"experiment 'x-latent_dim-minus1': model\.latent_dim"):
        grid(small_project, "model.latent_dim=2,-1")
    with pytest.raises(UnknownName, match=r"Did you mean 'model\.latent_dim'"):
        grid(small_project, "model.latnt_dim=2,3")
    assert contents() == before


def test_one_taken_name_stops_the_grid_without_force(small_project: Path, contents: Contents) -> None:
    (small_project / "pipelines" / "x-seed-1.yaml").write_text("mine\n")
    before = contents()
    with pytest.raises(ExistsError, match=r"pipelines/x-seed-1\.yaml would be overwritten"):
        grid(small_project, seeds=2)
    assert contents() == before
    grid(small_project, seeds=2, force=True).write()
    assert Project(small_project).experiment("x-seed-1").knobs.seed == 1


@pytest.mark.parametrize("failing", ["x-seed-0.yaml", "x-seed-2.yaml", "params.yaml"])
def test_a_grid_is_written_whole_or_not_at_all(
    small_project: Path, contents: Contents, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    planned, before, write = grid(small_project, seeds=3), contents(), files.write_text

    def full(path: Path, text: str) -> None:
        if path.name == failing:
            raise OSError(28, "No space left on device", str(path))
        write(path, text)

    monkeypatch.setattr(files, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        planned.write()
    assert contents() == before


def test_the_command_of_a_wish_says_the_same() -> None:
    wish = ExperimentRequest("x", "vae", None, "tiny", "smoke", ["a=[1, 2]"], ["b=1,2"], 3)
    assert wish.command() == (
        "genpipe new-experiment x --recipe vae --data tiny --profile smoke --set 'a=[1, 2]' --grid b=1,2 --seeds 3"
    )
