"""dvc.yaml that somebody has edited by hand: whatever is wrong with it is one error that names it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from genpipe.cli import main
from genpipe.config import wiring
from genpipe.errors import ConfigError

ROOT = Path(__file__).parents[2]
USUAL = (ROOT / "dvc.yaml").read_text()


def edited(*path: str, to: Any = None, gone: bool = False) -> str:
    """The wiring with another value at a place, or without it."""
    whole = yaml.safe_load(USUAL)
    inner = whole
    for key in path[:-1]:
        inner = inner[key]
    if gone:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return yaml.safe_dump(whole, sort_keys=False)


TRAIN = ("stages", "train", "do")
BROKEN = {
    "empty": ("", "dvc.yaml: "),
    "null": ("null\n", "dvc.yaml"),
    "a list": ("- stages\n", "dvc.yaml:1"),
    "a word": ("stages\n", "dvc.yaml:1"),
    "a number": ("3\n", "dvc.yaml:1"),
    "no YAML": ("stages: [\n", "dvc.yaml:2: not valid YAML"),
    "twice the same key": (USUAL + "stages: {}\n", "the key is already on line"),
    "without stages": ("vars: []\n", "stages: the key is missing"),
    "stages is null": ("stages:\n", "dvc.yaml:1: stages: "),
    "stages is a list": ("stages: [check]\n", "dvc.yaml:1: stages: "),
    **{
        f"without {name}": (edited("stages", name, gone=True), f"stages.{name}: the key is missing")
        for name in ("check", "prepare", "reference", "train", "sample", "evaluate", "report")
    },
    "check is null": (edited("stages", "check"), "stages.check: "),
    "check without a command": (edited("stages", "check", "cmd", gone=True), "stages.check.cmd: the key is missing"),
    "check with deps that are none": (edited("stages", "check", "deps", to="params.yaml"), "stages.check.deps: "),
    "check with deps of numbers": (edited("stages", "check", "deps", to=[1, 2]), "stages.check.deps.0: "),
    "train without do": (edited("stages", "train", to={"foreach": "${experiments}"}), "train.do: the key is missing"),
    "train once": (edited("stages", "train", to={"cmd": "true"}), "stages.train.foreach: the key is missing"),
    "train for a list": (edited("stages", "train", "foreach", to=["a"]), "stages.train.foreach: "),
    "train for a word": (edited("stages", "train", "foreach", to="experiments"), "stages.train.foreach: "),
    "params is a word": (edited(*TRAIN, "params", to="seed"), "stages.train.do.params: "),
    "params of numbers": (edited(*TRAIN, "params", to=[1]), "stages.train.do.params.0"),
    "params of files without lists": (edited(*TRAIN, "params", to=[{"a.yaml": "seed"}]), "stages.train.do.params.0"),
    "params of files with numbers": (edited(*TRAIN, "params", to=[{"a.yaml": [1]}]), "stages.train.do.params.0"),
    "outs is a word": (edited(*TRAIN, "outs", to="runs"), "stages.train.do.outs: "),
    "outs is null": (edited(*TRAIN, "outs"), "stages.train.do.outs: "),
    "another template": (edited(*TRAIN, "deps", to=["${item.dta}"]), "dvc.yaml: DVC would refuse"),
}


@pytest.fixture
def genpipe(small_project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.chdir(small_project)

    def run(*words: str) -> int:
        monkeypatch.setattr("sys.argv", ["genpipe", *words])
        return main.run()

    return run


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_wiring_is_one_error(genpipe: Callable[..., int], capsys, name: str) -> None:
    text, said = BROKEN[name]
    Path("dvc.yaml").write_text(text)
    before = Path("params.yaml").read_text()
    assert genpipe("check") == 1
    assert said in capsys.readouterr().err
    for words in (
        ("new-experiment", "mine", "--recipe", "pca"),
        ("data", "add", "toys", "--source", "shapes", "--image-size", "8"),
    ):
        assert genpipe(*words) == 1, words
        assert "dvc.yaml" in capsys.readouterr().err
    assert Path("params.yaml").read_text() == before


def test_what_a_person_adds_is_left_to_dvc(small_project: Path) -> None:
    own = {"cmd": "true", "deps": "anything", "frozen": True}
    (small_project / "dvc.yaml").write_text(edited("stages", "own", to=own))
    assert wiring.stage(small_project, "report").name == "report"
    (small_project / "dvc.yaml").write_text(edited(*TRAIN, "params", to=["seed", {"other.yaml": None}]))
    assert wiring.stage(small_project, "train", "vae").params == {"params.yaml": ("seed",), "other.yaml": None}


def test_a_wiring_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"dvc\.yaml: the file does not exist"):
        wiring.load(tmp_path)
