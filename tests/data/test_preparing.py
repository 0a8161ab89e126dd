from pathlib import Path

import numpy as np
import pytest

from genpipe import registry
from genpipe.data._preparing import fitted, prepare
from genpipe.data._storage import Prepared
from genpipe.errors import DataError
from genpipe.interfaces import Source, Split
from genpipe.schema import Strict


def square(n: int = 4, size: int = 6, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, (n, size, size, channels), dtype=np.uint8)


def test_pad_puts_the_picture_untouched_on_black() -> None:
    images = square()
    padded = fitted(images, 10, "pad")
    assert (padded[:, 2:8, 2:8] == images).all()
    assert padded.sum() == images.sum()


def test_pad_shrinks_what_is_too_large_and_keeps_its_aspect() -> None:
    wide = np.full((1, 10, 40, 3), 255, np.uint8)
    padded = fitted(wide, 20, "pad")
    assert padded.shape == (1, 20, 20, 3)
    assert (padded[0, 8:12] > 250).all(), "a band of 5 rows, less its edges"
    assert padded[0, :7].sum() == 0


def test_crop_takes_the_centre() -> None:
    wide = np.zeros((1, 4, 12, 1), np.uint8)
    wide[:, :, 4:8] = 255
    assert (fitted(wide, 4, "crop") == 255).all()


def test_stretch_fills_the_square() -> None:
    assert fitted(np.full((1, 3, 9, 3), 77, np.uint8), 6, "stretch").tolist() == np.full((1, 6, 6, 3), 77).tolist()


@pytest.mark.parametrize("name", registry.names("data"))
def test_a_source_gives_what_it_announces(name: str, tmp_path: Path) -> None:
    kind = registry.load("data", name)
    prepared = prepare(kind(kind.Config()), size=16, fit="crop", seed=0, folder=tmp_path / "a")
    assert prepared.spec.shape == (kind.channels, 16, 16)
    for split in ("train", "test"):
        images, labels = prepared.images(split), prepared.labels(split)
        assert images.std() > 10
        assert labels is None or (len(labels) == len(images) and set(labels) == set(range(len(kind.classes))))
    again = prepare(kind(kind.Config()), size=16, fit="crop", seed=0, folder=tmp_path / "b")
    other = prepare(kind(kind.Config()), size=16, fit="crop", seed=1, folder=tmp_path / "c")
    assert prepared.sha256 == again.sha256 != other.sha256


def test_mnist5k_is_split_evenly() -> None:
    kind = registry.load("data", "mnist5k")
    splits = kind(kind.Config()).splits(0)
    assert np.bincount(splits["train"].labels).tolist() == [400] * 10
    assert np.bincount(splits["test"].labels).tolist() == [100] * 10
    together = np.concatenate([splits[s].images[0].reshape(-1, 784) for s in ("train", "test")])
    assert len(np.unique(together, axis=0)) == 5000, "no image is in both"


class Lies(Source):
    """Announces three images and gives four."""

    class Config(Strict): ...

    classes, channels = ("a",), 1

    def __init__(self, config: Config) -> None: ...

    def splits(self, seed: int) -> dict[str, Split]:
        return dict.fromkeys(("train", "test"), Split([square(4)], None, 3))


def test_a_source_that_gives_something_else_is_found_out_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"split 'train': a chunk of uint8 \(4, 6, 6, 1\) came after 0 of 3 images"):
        prepare(Lies(Lies.Config()), size=8, fit="pad", seed=0, folder=tmp_path / "x")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    kind = registry.load("data", "digits")
    return prepare(kind(kind.Config()), size=8, fit="pad", seed=0, folder=tmp_path / "digits")


def test_what_is_damaged_on_disk_is_named_with_the_remedy(prepared: Prepared) -> None:
    images = prepared.folder / "train_images.npy"
    images.write_bytes(images.read_bytes()[:500])
    with pytest.raises(DataError, match=r"train_images\.npy is damaged .* run `dvc repro`"):
        prepared.images("train")
    np.save(images, np.zeros((3, 1, 9, 9), np.uint8))
    with pytest.raises(DataError, match=r"holds uint8 \(3, 1, 9, 9\), but uint8 \(n, 1, 8, 8\) is needed"):
        prepared.images("train")
    images.unlink()
    with pytest.raises(DataError, match="is missing"):
        prepared.images("train")
    (prepared.folder / "meta.json").write_text('{"images": ')
    with pytest.raises(DataError, match=r"meta\.json is damaged"):
        Prepared.open(prepared.folder)
    with pytest.raises(DataError, match="holds no prepared data set"):
        Prepared.open(prepared.folder / "elsewhere")


def test_arrays_that_would_run_code_are_not_loaded(prepared: Prepared) -> None:
    np.save(prepared.folder / "train_images.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="damaged"):
        prepared.images("train")
