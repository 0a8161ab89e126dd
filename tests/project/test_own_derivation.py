"""A derivation in a person's own package, as the pages show it, makes a field of prepared images."""

from pathlib import Path

import numpy as np
import pytest

from genpipe import fingerprints, paths
from genpipe.config.project import load_project
from genpipe.dataset.preparing import prepare
from genpipe.errors import ConfigError
from genpipe.project.checking import problems
from tests._pages import files

MINE = files()["genpipe/derivations/silhouette.py"]
DRAWN = MINE.replace("class Config(Strict)", "random = True\n\n    class Config(Strict)")


def with_derive(root: Path, text: str, code: str = MINE) -> None:
    """Gives the small project a package with the derivation, and its data set these fields."""
    (root / "lab/derivations").mkdir(parents=True)
    (root / "lab/__init__.py").touch()
    (root / "lab/derivations/mine.py").write_text(code)
    index = root / "params.yaml"
    changed = index.read_text().replace("test_images: 360}", f"test_images: 360, derive: {text}}}")
    index.write_text(f"package: lab\n{changed}")


@pytest.mark.parametrize("name", ["mine", "lab.mine"])
def test_an_own_derivation_is_prepared_and_its_code_counts(project: Path, name: str) -> None:
    with_derive(project, f"{{{name}: {{level: 100}}}}")
    data = load_project().data("tiny")
    assert problems(project) == []
    prepared = prepare(
        data.opened, image_size=8, resize_mode="crop", seed=0, folder=paths.data("tiny"), derive=data.derivations
    )
    assert prepared.spec.fields["mine"].kind == "mask"
    for split in ("train", "test"):
        np.testing.assert_array_equal(prepared.field(split, "mine"), prepared.images(split) >= 100)
    for stage, key in (("prepare", "tiny"), ("train", "first"), ("check", None)):
        assert "lab.derivations.mine" in fingerprints.of_stage(project, stage, key)


def test_a_random_one_is_drawn_for_each_batch_by_its_full_name(project: Path) -> None:
    import torch

    from genpipe.dataset.batches import BatchLoader

    with_derive(project, "{lab.mine: {}}", DRAWN)
    data = load_project().data("tiny")
    assert data.random_fields == {"mine"}
    prepared = prepare(
        data.opened, image_size=8, resize_mode="crop", seed=0, folder=paths.data("tiny"), derive=data.derivations
    )
    loader = BatchLoader.of(prepared, size=4, seed=0, device=torch.device("cpu"), fields=("mine",))
    batch = loader.batch(0)
    assert torch.equal(batch.fields["mine"], (batch.x >= 128 / 127.5 - 1).float())


def test_its_knobs_are_checked(project: Path) -> None:
    with_derive(project, "{mine: {levl: 100}}")
    with pytest.raises(ConfigError, match=r"datasets\.tiny\.derive\.mine\.levl: unknown key. Did you mean 'level'"):
        load_project().data("tiny")
