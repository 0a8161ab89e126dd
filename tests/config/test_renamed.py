"""Words of an older genpipe are answered with those of this one."""

from pathlib import Path

import pytest

from genpipe.artifacts.models import load_model
from genpipe.config.project import Project
from genpipe.config.renamed import COMMANDS, KEYS, OPTIONS, answered, new_key, new_value
from genpipe.errors import ConfigError, UsageError
from genpipe.project.new_experiment import ExperimentRequest, plan


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("size: 8", "image_size", r"params\.yaml:3: datasets\.tiny\.size"),
        ("fit: crop", "resize_mode", r"params\.yaml:3: datasets\.tiny\.fit"),
        ("limit: 50", "max_images", r"params\.yaml:3: datasets\.tiny\.limit"),
    ],
)
def test_an_old_key_of_a_data_set_is_answered_with_the_new_one(old: str, new: str, place: str, project: Path) -> None:
    index = project / "params.yaml"
    index.write_text(index.read_text().replace("image_size: 8", f"image_size: 8, {old}"))
    with pytest.raises(ConfigError, match=rf"{place}: `{old.partition(':')[0]}` is now `{new}`\."):
        Project(project).data("tiny")


@pytest.mark.parametrize(
    ("now", "old", "message"),
    [
        ("architecture: mlp", "body: mlp", r"first\.yaml:4: model\.body: `body` is now `architecture`\."),
        ("{lr: 0.01}", "{clip_norm: 1.0}", r"optim\.autoencoder\.clip_norm: `clip_norm` is now `grad_clip_norm`\."),
        ("sample_grid: {rows: 3}", "walk: {}", r"analyses\.walk: `walk` is now `interpolation`\."),
        ("fid: {}", "memorisation: {}", r"evaluate\.metrics\.memorisation: `memorisation` is now `memorization`\."),
        (
            "latent_dim: 4",
            "likelihood: discretised_logistic",
            r"`discretised_logistic` is now `discretized_logistic`\.",
        ),
    ],
)
def test_an_old_word_of_a_pipeline_is_answered_with_the_new_one(
    now: str, old: str, message: str, project: Path
) -> None:
    file = project / "pipelines" / "first.yaml"
    file.write_text(file.read_text().replace(now, old))
    with pytest.raises(ConfigError, match=message):
        Project(project).experiment("first")


def test_an_old_override_is_answered_with_the_new_one(small_project: Path) -> None:
    wish = ExperimentRequest("b", recipe="vae", sets=["analyses.walk.pairs=2"])
    with pytest.raises(UsageError, match=r"`analyses\.walk\.pairs` is now `analyses\.interpolation\.pairs`\."):
        plan(Project(small_project), wish)


def test_a_model_of_an_older_genpipe_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text('{"system": "vae", "config": {}, "images": {}}')
    with pytest.raises(Exception, match=r"`system` is now `model`(.|\n)*Delete \S+ and run `dvc repro`\."):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["data", "look", "faces"], "`genpipe data look` is now `genpipe data inspect`."),
        (["list", "systems", "--json"], "`genpipe list systems` is now `genpipe list models`."),
        (["interpolate", "vae", "--moving"], "`--moving` of `genpipe interpolate` is now `--animate`."),
        (["data", "add", "x", "-s", "digits", "--size=8"], "`--size` of `genpipe data add` is now `--image-size`."),
        (["data", "inspect", "look"], None),
        (["score", "a", "b", "--size", "8"], None),
    ],
)
def test_an_old_command_is_answered_with_the_new_one(words: list[str], told: str | None) -> None:
    assert answered(words) == told


def test_no_new_word_is_an_old_one() -> None:
    for pattern, new in KEYS.items():
        assert new_key([*pattern.split(".")[:-1], new]) is None, pattern
    assert new_value(("model", "likelihood"), "discretized_logistic") is None
    for words in COMMANDS.values():
        assert answered(words.split()) is None
    for (command, _), new in OPTIONS.items():
        assert answered([*command.split(), new]) in (None, answered(command.split()))
