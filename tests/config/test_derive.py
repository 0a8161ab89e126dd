"""`derive:` of a data set is checked as every other part is."""

from pathlib import Path

import pytest

from genpipe import fingerprints
from genpipe.config.project import load_project
from genpipe.errors import ConfigError
from genpipe.project.checking import problems


def with_derive(project: Path, text: str) -> None:
    index = project / "params.yaml"
    index.write_text(index.read_text().replace("test_images: 360}", f"test_images: 360, derive: {text}}}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{edgse: {}}", "datasets.tiny.derive.edgse: no derivation is called 'edgse'. Did you mean 'edges'?"),
        ("{edges: {treshold: 3}}", "datasets.tiny.derive.edges.treshold: unknown key. Did you mean 'threshold'?"),
        ("{edges: }", "datasets.tiny.derive.edges: "),
        ("[edges]", "datasets.tiny.derive: "),
        ("{low_resolution: {factor: 3}}", "datasets.tiny.derive.low_resolution.factor: "),
        ("{holes: {kind: box}}", "datasets.tiny.derive.holes.kind: "),
        (
            "{holes: {min_share: 0.5}}",
            "datasets.tiny.derive.holes: min_share 0.5 is more than max_share 0.4; give less.",
        ),
        ("{holes: {max_share: 1}}", "datasets.tiny.derive.holes.max_share: "),
        ("{noise: {std: 0}}", "datasets.tiny.derive.noise.std: "),
        ("{grayscale: {}}", "datasets.tiny.derive.grayscale: it is made of color images, and these have 1 channel."),
        (
            "{edges: {}, genpipe.edges: {}}",
            "datasets.tiny.derive.genpipe.edges: 'genpipe.edges' and 'edges' are the sa",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(project: Path, text: str, message: str) -> None:
    with_derive(project, text)
    (problem,) = map(str, problems(project))
    assert problem.startswith(f"params.yaml:3: {message}")


def test_fields_are_known_before_anything_runs(project: Path) -> None:
    with_derive(project, "{low_resolution: {factor: 2}, holes: {}}")
    assert problems(project) == []
    data = load_project().data("tiny")
    assert {name: field.shape for name, field in data.spec().fields.items()} == {
        "low_resolution": (1, 4, 4),
        "holes": (1, 8, 8),
    }
    assert data.random_fields == {"holes"}


def test_the_code_of_a_stage_is_that_of_the_derivations_that_are_named(project: Path) -> None:
    with_derive(project, "{edges: {}}")
    for stage, key in (("prepare", "tiny"), ("train", "first"), ("check", None)):
        named = {module for module in fingerprints.of_stage(project, stage, key) if module.startswith("genpipe.deriv")}
        assert named == {"genpipe.derivations", "genpipe.derivations.edges"}
    assert not any("derivations.e" in module for module in fingerprints.of_stage(project, "sample", "first"))


def test_a_data_set_in_a_plan_has_its_knobs_written_as_yaml(project: Path) -> None:
    from genpipe.project.datasets import plan_data

    plan = plan_data(load_project(), "small", {"source": "digits", "image_size": 8, "derive": {"noise": {"std": 9.0}}})
    (line,) = (line for line in str(plan.changes[0].after).splitlines() if line.startswith("  small:"))
    assert line == "  small: {source: digits, image_size: 8, derive: {noise: {std: 9.0}}}"


def test_what_a_model_lacks_may_be_made_of_the_images(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from genpipe import registry

    model = registry.load("models", "vae")
    for field, kind, told in (
        ("edges", "image", "write `derive: {edges: {}}` there."),
        ("holes", "mask", "write `derive: {holes: {}}` there."),
        ("grayscale", "image", "no source has it; write one (docs/extending.md)."),
        ("edges", "mask", "no source has it; write one (docs/extending.md)."),
    ):
        monkeypatch.setattr(model, "fields", {field: kind})
        with pytest.raises(ConfigError) as refused:
            load_project().experiment("first")
        assert str(refused.value).endswith(f"which these images lack; {told}")
    with_derive(project, "{edges: {}}")
    monkeypatch.setattr(model, "fields", {"edges": "image"})
    assert load_project().experiment("first")
