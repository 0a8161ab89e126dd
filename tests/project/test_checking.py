import re
from pathlib import Path

import pytest

from genpipe import registry
from genpipe.config.project import Project
from genpipe.errors import ConfigError
from genpipe.interfaces.dataset_info import DatasetInfo
from genpipe.interfaces.spec import DataSpec
from genpipe.project.checking import orphans, problems, verify
from genpipe.project.new_experiment import ExperimentRequest, plan


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def lines(root: Path) -> list[str]:
    return sorted(map(str, problems(root)))


def test_a_project_without_a_mistake_has_no_problem(small_project: Path) -> None:
    assert problems(small_project) == []
    assert orphans(Project(small_project)) == []


def test_problems_of_all_files_come_at_once(small_project: Path) -> None:
    plan(Project(small_project), ExperimentRequest("other", "pca")).write()
    change(small_project / "params.yaml", "  image_size: 32", "  imagesise: 32")
    change(small_project / "params.yaml", "channels: [8", "channels: [0")
    change(small_project / "pipelines" / "vae.yaml", "  latent_dim:", "  latent_dmi:")
    change(small_project / "pipelines" / "other.yaml", "  images:", "  imagse:")
    found = "\n".join(lines(small_project))
    assert "params.yaml:6: reference.extractors.classifier.channels.0" in found
    assert "params.yaml:12: datasets.mnist5k.imagesise: unknown key" in found
    assert "params.yaml:12: datasets.mnist5k.image_size: the key is missing" in found
    (small_project / "params.yaml").write_text(
        (small_project / "params.yaml").read_text().replace("imagesise", "image_size")
    )
    found = "\n".join(lines(small_project))
    assert "model.latent_dmi: unknown key. Did you mean 'latent_dim'" in found
    assert "sample.imagse: unknown key. Did you mean 'images'" in found


def test_while_the_index_cannot_be_read_pipelines_are_at_least_read(small_project: Path) -> None:
    change(small_project / "params.yaml", "seed: 0", "sede: 0")
    (small_project / "pipelines" / "stray.yaml").write_text("a: [1\n")
    found = lines(small_project)
    assert [line.split(": ")[0] for line in found] == ["params.yaml:2", "params.yaml:2", "pipelines/stray.yaml:2"]


def test_a_classifier_that_does_not_suit_a_data_set(small_project: Path) -> None:
    change(small_project / "params.yaml", "channels: [8, 16]", "channels: [8, 8, 8, 8, 8, 8]")
    (found,) = lines(small_project)
    assert "params.yaml:12: datasets.mnist5k: classifier does not suit it: 6 halvings" in found
    with pytest.raises(ConfigError, match="classifier does not suit it"):
        verify(Project(small_project))  # what stands in front of every `dvc repro`


def test_dvc_has_to_watch_a_network_of_ones_own(small_project: Path) -> None:
    change(small_project / "params.yaml", "  extractors:\n", "  extractors:\n    torchscript: {path: mine.pt}\n")
    (found,) = lines(small_project)
    assert re.search(r"dvc.yaml:\d+: stages.reference.do.deps: 'mine.pt' of extractor 'torchscript' is missing", found)
    change(
        small_project / "dvc.yaml",
        "        - runs/code/reference/${key}.json\n",
        "        - runs/code/reference/${key}.json\n        - mine.pt\n",
    )
    assert lines(small_project) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("      - data/${item.data}\n", "      - data/${item.dta}\n", "dvc.yaml: DVC would refuse"),
        ("stages:\n", "stages: [\n", "dvc.yaml:5: not valid YAML"),
    ],
)
def test_the_wiring_is_shown_to_dvc(small_project: Path, old: str, new: str, said: str) -> None:
    text = (small_project / "dvc.yaml").read_text()
    (small_project / "dvc.yaml").write_text(text.replace(old.strip("\n"), new.strip("\n"), 1))
    (found,) = lines(small_project)
    assert found.startswith(said)


def test_files_of_no_experiment_are_found(small_project: Path) -> None:
    (small_project / "pipelines" / "stray.yaml").write_text("seed: 0\n")
    assert orphans(Project(small_project)) == [Path("pipelines/stray.yaml")]


DATA = {
    "mnist5k": "{source: mnist5k, image_size: 32, resize_mode: pad}",
    "shapes": "{source: shapes, image_size: 32}",
    "solids": "{source: solids, image_size: 32}",
}


@pytest.mark.parametrize(
    ("data", "analysis", "message"),
    [
        ("mnist5k", "arithmetic: {factor: kind}", "no factors are known of these images"),
        (
            "shapes",
            "latent_direction: {factor: colur}",
            "no factor 'colur' is known of these images. Did you mean 'color'?",
        ),
        ("mnist5k", "disentanglement: {}", "no factors are known of these images"),
        ("shapes", "disentanglement: {factors: [kind, size]}", "no factor 'size' is known"),
        ("shapes", "orientation: {}", "no factor 'qw' is known"),
        ("shapes", "anomaly_detection: {}", "Give the data set `exclude_classes: [class]`"),
    ],
)
def test_what_an_analysis_needs_of_the_data_is_told_with_its_line(
    small_project: Path, data: str, analysis: str, message: str
) -> None:
    of_data(small_project, data)
    file = small_project / "pipelines" / "vae.yaml"
    change(file, "  sample_grid:\n", f"  {analysis}\n  sample_grid:\n")
    line = file.read_text().splitlines().index(f"  {analysis}") + 1
    name = analysis.partition(":")[0]
    (found,) = lines(small_project)
    assert found.startswith(f"pipelines/vae.yaml:{line}: analyses.{name}: ")
    assert message in found


@pytest.mark.parametrize(
    "name", ["arithmetic", "latent_direction", "feature_transfer", "classification", "feature_learning"]
)
def test_classes_are_asked_for_where_nothing_else_is_named(name: str) -> None:
    kind = registry.load("analyses", name)
    analysis = kind(kind.Config())
    for classes, missing in (((), True), (("one",), True), (("one", "two"), False)):
        told = analysis.unmet_requirement(DatasetInfo(DataSpec(1, 8, 8, classes)))
        assert ("two are needed" in (told or "") or "needs two classes" in (told or "")) == missing


@pytest.mark.parametrize(
    ("data", "analysis"),
    [
        ("mnist5k", "arithmetic: {}"),
        ("mnist5k", "feature_transfer: {}"),
        ("shapes", "latent_direction: {factor: angle}"),
        ("shapes", "disentanglement: {factors: [kind, row]}"),
        ("solids", "orientation: {}"),
    ],
)
def test_of_data_that_know_enough_nothing_is_told(small_project: Path, data: str, analysis: str) -> None:
    of_data(small_project, data)
    file = small_project / "pipelines" / "vae.yaml"
    change(file, "  sample_grid:\n", f"  {analysis}\n  sample_grid:\n")
    assert lines(small_project) == []


@pytest.mark.parametrize(
    ("model_name", "data", "message"),
    [
        (
            "ss_vae",
            "mnist5k",
            "ss_vae needs the field 'known_label' (attributes), which these images lack; write `num_labels: 100` there",
        ),
        (
            "dc_ign",
            "shapes",
            "dc_ign needs the field 'sweep' (number), which these images lack; write `source: shapes` and `sweep_",
        ),
    ],
)
def test_what_a_model_has_to_be_told_of_each_image_is_asked_of_the_data_set(
    small_project: Path, model_name: str, data: str, message: str
) -> None:
    of_data(small_project, data)
    with pytest.raises(ConfigError) as refused:
        plan(Project(small_project), ExperimentRequest("other", model_name, data="mnist5k"))
    (problem,) = map(str, refused.value.problems)
    assert problem.startswith("params.yaml:12: datasets.mnist5k: ")
    assert message in problem


def of_data(root: Path, kind: str) -> None:
    """The small project with other images in its one data set."""
    change(root / "params.yaml", "{source: mnist5k,  image_size: 32, resize_mode: pad}", DATA[kind])
