import re
from pathlib import Path

import pytest

from genpipe.composing import Wish, plan, problems, strays, verify
from genpipe.config import Project
from genpipe.errors import ConfigError


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def lines(root: Path) -> list[str]:
    return sorted(map(str, problems(root)))


def test_a_project_without_a_mistake_has_no_problem(small_project: Path) -> None:
    assert problems(small_project) == []
    assert strays(Project(small_project)) == []


def test_problems_of_all_files_come_at_once(small_project: Path) -> None:
    plan(Project(small_project), Wish("other", "pca")).write()
    change(small_project / "params.yaml", "  size: 32", "  sise: 32")
    change(small_project / "params.yaml", "channels: [8", "channels: [0")
    change(small_project / "pipelines" / "vae.yaml", "  latent_dim:", "  latent_dmi:")
    change(small_project / "pipelines" / "other.yaml", "  images:", "  imagse:")
    found = "\n".join(lines(small_project))
    assert "params.yaml:6: reference.extractors.classifier.channels.0" in found
    assert "params.yaml:12: datasets.mnist5k.sise: unknown key" in found
    assert "params.yaml:12: datasets.mnist5k.size: the key is missing" in found
    (small_project / "params.yaml").write_text((small_project / "params.yaml").read_text().replace("sise", "size"))
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
        "        - stages/reference.py\n",
        "        - stages/reference.py\n        - mine.pt\n",
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
    assert strays(Project(small_project)) == [Path("pipelines/stray.yaml")]
