"""Every mistake in YAML is one clear message: file, line, key, what is allowed."""

from pathlib import Path

import pytest

from genpipe.config.project import load_project
from genpipe.errors import ConfigError, GenpipeError, UnknownName
from genpipe.project.checking import verify


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_an_experiment_is_complete_with_its_defaults(project: Path) -> None:
    experiment = load_project().experiment("first")
    resolved = experiment.resolved()
    assert resolved["model_name"] == "vae"
    assert resolved["model"] == {
        "architecture": "mlp", "widths": [32], "latent_dim": 4,
        "likelihood": "gaussian", "decoder_variance": 0.1, "kl_weight": 1.0
    }  # fmt: skip
    assert resolved["optim"]["autoencoder"]["betas"] == [0.9, 0.999]
    assert resolved["evaluate"]["metrics"] == {"inception_score": {"splits": 2}, "fid": {}}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "latent_dim: 4",
            "latent_dmi: 4",
            r"pipelines/first\.yaml:6: model\.latent_dmi: unknown key. Did you mean 'lat",
        ),
        ("latent_dim: 4", "latent_dim: four", r"pipelines/first\.yaml:6: model\.latent_dim: .*integer.*\"four\""),
        (
            "latent_dim: 4",
            "latent_dim: 0",
            r"first\.yaml:6: model\.latent_dim: .*greater than or equal to 1.*0 is given",
        ),
        ("lr: 0.01", "lr: -1", r"first\.yaml:8: optim\.autoencoder\.lr"),
        ("lr: 0.01", "lr: .nan", r"first\.yaml:8: optim\.autoencoder\.lr"),
        (
            "autoencoder: {",
            "autoencodr: {",
            r"first\.yaml:8: optim\.autoencodr: no such phase.*Did you mean 'autoencoder'",
        ),
        ("fid: {}", "fidd: {}", r"first\.yaml:14: evaluate\.metrics\.fidd: .*Did you mean 'fid'"),
        ("splits: 2", "split: 2", r"first\.yaml:13: evaluate\.metrics\.inception_score\.split: unknown key"),
        ("sample_grid: {rows: 3}", "sample_gird: {rows: 3}", r"first\.yaml:16: .*Did you mean 'sample_grid'"),
        ("seed: 0\n", "", r"first\.yaml:2: seed: the key is missing"),
        ("steps: 6", "steps: true", r"first\.yaml:9: train\.steps"),
        ("sample: {images: 60", "sample: {images: 60, imagse: 3", r"first\.yaml:10: sample\.imagse: .*'images'"),
        (
            "images: 60",
            f"images: {10**10}",
            r"sample\.images: .*less than or equal to 1000000, but 10000000000 is given",
        ),
        ("architecture: mlp", "architecture: [mlp", r"first\.yaml:\d+: not valid YAML"),
        (
            "architecture: mlp",
            "architecture: conv\n  widths: [4, 4]\n  widths: [4]",
            r"first\.yaml:6: widths: the key is already on l",
        ),
    ],
)
def test_a_mistake_in_a_pipeline(project: Path, old: str, new: str, message: str) -> None:
    change(project / "pipelines/first.yaml", old, new)
    with pytest.raises(ConfigError, match=message):
        load_project().check()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "model: vae",
            "model: vaee",
            r"params\.yaml:11: experiments\.first\.model: no model.*'vaee'.*Did you mean 'vae'",
        ),
        ("data: tiny}", "data: tinny}", r"params\.yaml:11: experiments\.first\.data: 'tinny'.*Did you mean 'tiny'"),
        ("source: digits", "source: digit", r"params\.yaml:3: datasets\.tiny\.source: .*Did you mean 'digits'"),
        ("size: 8", "size: big", r"params\.yaml:3: datasets\.tiny\.image_size"),
        (
            "test_images: 360",
            "tset_images: 360",
            r"params\.yaml:3: datasets\.tiny\.tset_images: unknown.*'test_images'",
        ),
        ("first:", "a/b:", r"params\.yaml:11: experiments\.a/b: the name is not allowed"),
        ("first:", "..:", r"params\.yaml:11: experiments\.\.\.: the name is not allowed"),
        (
            "classifier: {lr",
            "clasifier: {lr",
            r"params\.yaml:8: reference\.optim\.clasifier: no such phase.*'classifier'",
        ),
        (
            "features: 16",
            "featrues: 16",
            r"params\.yaml:6: reference\.extractors\.classifier\.featrues: unknown.*'features'",
        ),
        ("seed: 0", "sede: 0", r"params\.yaml:1: sede: unknown key. Did you mean 'seed'"),
    ],
)
def test_a_mistake_in_the_index(project: Path, old: str, new: str, message: str) -> None:
    change(project / "params.yaml", old, new)
    with pytest.raises(ConfigError, match=message):
        verify(load_project())


def test_all_that_is_wrong_is_said_at_once(project: Path) -> None:
    change(project / "pipelines/first.yaml", "latent_dim: 4", "latent_dmi: 4")
    change(project / "pipelines/first.yaml", "fid: {}", "fidd: {}")
    with pytest.raises(ConfigError) as caught:
        load_project().check()
    assert [problem.line for problem in caught.value.problems] == [6, 14]


def test_a_mistake_in_one_section_hides_none_in_another(project: Path) -> None:
    file = project / "pipelines/first.yaml"
    for old, new in (("steps: 6", "stepz: 6"), ("latent_dim: 4", "latent_dmi: 4"), ("splits: 2", "splits: 0")):
        change(file, old, new)
    with pytest.raises(ConfigError) as caught:
        load_project().check()
    assert [problem.key for problem in caught.value.problems] == [
        *("model.latent_dmi", "train.steps", "train.stepz", "evaluate.metrics.inception_score.splits")
    ]


def test_a_model_that_cannot_be_built_for_the_images(project: Path) -> None:
    change(project / "pipelines/first.yaml", "architecture: mlp", "architecture: conv")
    change(project / "pipelines/first.yaml", "widths: [32]", "widths: [4, 4, 4, 4]")
    with pytest.raises(ConfigError, match=r"first\.yaml:3: model: 4 layers halve .* it is 8×8"):
        load_project().check()


def test_an_analysis_that_asks_for_what_a_model_cannot_do(project: Path) -> None:
    change(project / "params.yaml", "model: vae", "model: gan")
    pipeline = project / "pipelines/first.yaml"
    change(pipeline, "  architecture: mlp\n", "")
    change(pipeline, "  autoencoder: {lr: 0.01}", "  generator: {}\n  discriminator: {}")
    change(pipeline, "sample_grid: {rows: 3}", "reconstruction: {}")
    with pytest.raises(
        ConfigError, match=r"analyses\.reconstruction: needs a model that Reconstructs, and gan does not"
    ):
        load_project().check()


def test_a_missing_pipeline_and_an_unknown_experiment(project: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'first'"):
        load_project().experiment("frist")
    (project / "pipelines/first.yaml").unlink()
    with pytest.raises(ConfigError, match=r"pipelines/first\.yaml: the file does not exist"):
        load_project().check()


def test_outside_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GenpipeError, match=r"no genpipe project"):
        load_project()


def test_the_key_depends_on_the_sections_that_it_is_asked_for(project: Path) -> None:
    before = load_project().experiment("first")
    change(project / "pipelines/first.yaml", "images: 60", "images: 90")
    after = load_project().experiment("first")
    assert before.key("model", "train") == after.key("model", "train")
    assert before.key() != after.key()
    assert before.key("model", also=1) != before.key("model", also=2)


def test_a_likelihood_of_two_levels_asks_for_binarized_data(project: Path) -> None:
    change(project / "pipelines" / "first.yaml", "latent_dim: 4", "latent_dim: 4\n  likelihood: bernoulli")
    with pytest.raises(ConfigError, match=r"model: a Bernoulli likelihood is one of images of two levels"):
        load_project().experiment("first")
    change(project / "params.yaml", "test_images: 360", "test_images: 360, binarize: threshold")
    assert load_project().experiment("first").model.likelihood == "bernoulli"
