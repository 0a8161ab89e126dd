"""Data sets that torchvision downloads: what is asked of it, and what becomes of its answer; nothing is downloaded."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torchvision import datasets

from genpipe import paths
from genpipe.data.celeba import ATTRIBUTES
from genpipe.dataset.preparing import prepare
from genpipe.errors import DataError

Build = Callable[..., Any]
RNG = np.random.default_rng(0)


def fake(found: Callable[..., Any]) -> tuple[Any, list]:
    """A class of torchvision.datasets that notes how it is called."""
    asked: list = []

    def build(root: Path, download: bool, **wanted: Any) -> Any:
        asked.append((root, download, wanted))
        return found(wanted)

    return build, asked


def part(wanted: dict[str, Any]) -> int:
    return 12 if wanted in ({"train": True}, {"split": "train"}) else 6


SHAPES = {
    "mnist": ("MNIST", lambda n: {"data": torch.randint(0, 256, (n, 28, 28), dtype=torch.uint8)}),
    "fashion_mnist": ("FashionMNIST", lambda n: {"data": torch.randint(0, 256, (n, 28, 28), dtype=torch.uint8)}),
    "kmnist": ("KMNIST", lambda n: {"data": torch.randint(0, 256, (n, 28, 28), dtype=torch.uint8)}),
    "cifar10": ("CIFAR10", lambda n: {"data": RNG.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)}),
    "cifar100": ("CIFAR100", lambda n: {"data": RNG.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)}),
    "svhn": ("SVHN", lambda n: {"data": RNG.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8)}),
    "stl10": ("STL10", lambda n: {"data": RNG.integers(0, 256, (n, 3, 96, 96), dtype=np.uint8)}),
}


@pytest.mark.parametrize("name", SHAPES)
def test_official_parts_in_memory(name: str, source: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known, pixels = SHAPES[name]
    made = {n: pixels(n) for n in (12, 6)}
    labels = {n: torch.arange(n) % 10 for n in (12, 6)}
    build, asked = fake(lambda w: SimpleNamespace(targets=labels[part(w)], labels=labels[part(w)], **made[part(w)]))
    monkeypatch.setattr(datasets, known, build)
    found = source(name)
    prepared = prepare(found, image_size=found_size(made[12]), resize_mode="crop", seed=0, folder=tmp_path / "o")
    assert [len(prepared.images(s)) for s in ("train", "test")] == [12, 6]
    assert prepared.labels("test").tolist() == labels[6].tolist()
    expected = np.asarray(made[6]["data"])
    expected = expected[..., None] if expected.ndim == 3 else expected
    expected = expected.transpose(0, 3, 1, 2) if expected.shape[1] > 3 else expected
    assert (prepared.images("test") == expected).all()
    assert all(root == paths.cache() / known.lower() and download for root, download, _ in asked)
    assert len(found.classes) == (100 if name == "cifar100" else 10)


def found_size(pixels: dict[str, Any]) -> int:
    return int(pixels["data"].shape[2])


def test_faces_with_attributes(source: Build, tmp_path: Path, picture: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "celeba" / "img_align_celeba"
    folder.mkdir(parents=True)
    for n in range(18):
        (folder / f"{n:06}.jpg").write_bytes(picture(n, 16, kind="JPEG"))

    def found(wanted: dict[str, Any]) -> Any:
        first = 0 if part(wanted) == 12 else 12
        names = [f"{n:06}.jpg" for n in range(first, first + part(wanted))]
        attributes = (torch.arange(first, first + part(wanted))[:, None] >> torch.arange(40).clamp(max=20)) & 1
        called = {"attr": attributes, "attr_names": [*map(str.title, ATTRIBUTES), ""]}
        return SimpleNamespace(root=str(tmp_path), base_folder="celeba", filename=names, **called)

    monkeypatch.setattr(datasets, "CelebA", fake(found)[0])
    prepared = prepare(source("celeba"), image_size=16, resize_mode="crop", seed=0, folder=tmp_path / "o")
    assert prepared.labels("train") is None
    assert len(prepared.factors("train")) == 40
    for k, name in enumerate(ATTRIBUTES[:5]):
        assert prepared.factors("test")[name].tolist() == [n >> k & 1 for n in range(12, 18)]


def test_flowers(source: Build, tmp_path: Path, picture: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / f"{n}.jpg" for n in range(18)]
    for n, file in enumerate(files):
        file.write_bytes(picture(n, 20, kind="JPEG"))
    known = datasets.Flowers102.classes
    build, _ = fake(lambda w: SimpleNamespace(_image_files=files[: part(w)], _labels=[n * 3 for n in range(part(w))]))
    build.classes = known
    monkeypatch.setattr(datasets, "Flowers102", build)
    found = source("flowers102")
    prepared = prepare(found, image_size=16, resize_mode="crop", seed=0, folder=tmp_path / "o")
    assert len(found.classes) == 102
    assert prepared.labels("test").tolist() == [0, 3, 6, 9, 12, 15]


@pytest.mark.parametrize("name", ["mnist", "cifar10", "svhn", "flowers102", "celeba", "stl10"])
def test_a_download_that_fails_says_what_from_where_and_what_to_do(
    name: str, source: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    from urllib.error import URLError

    def offline(*_: Any, **__: Any) -> None:
        raise URLError("Name or service not known")

    for module in ("mnist", "cifar", "svhn", "flowers102", "stl10"):
        for function in ("download_and_extract_archive", "download_url"):
            if hasattr(getattr(datasets, module), function):
                monkeypatch.setattr(getattr(datasets, module), function, offline)
    monkeypatch.setattr("torchvision.datasets.celeba.download_file_from_google_drive", offline)
    with pytest.raises(
        DataError, match=r"could not be downloaded.*torchvision gets .*(http|Google).*put the files below"
    ):
        source(name).collection(0)


def test_lsun_says_where_its_databases_are_to_be(source: Build, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"tower_train_lmdb is not there.*fyu/lsun"):
        source("lsun", path="x", categories=["tower"]).collection(0)


class Table:
    """What the package datasets gives, as far as it is used."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.cache_files: list[dict[str, str]] = []
        self.features = {"label": SimpleNamespace(names=["cat", "dog"])}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> Any:
        return self.rows[key] if isinstance(key, int) else [row[key] for row in self.rows]

    def select_columns(self, names: list[str]) -> "Table":
        return self

    def cast_column(self, name: str, kind: Any) -> "Table":
        assert kind == {"decode": False}
        return self


def test_the_hub(source: Build, tmp_path: Path, picture: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    rows = [{"image": {"bytes": picture(n), "path": None}, "label": n % 2} for n in range(18)]
    hub: Any = SimpleNamespace(
        Image=lambda **knobs: knobs,
        load_dataset=lambda name, **_: {"train": Table(rows[:12]), "test": Table(rows[12:])},
    )
    monkeypatch.setitem(sys.modules, "datasets", hub)
    found = source("hugging_face", path="a/b")
    assert (found.classes, found.channels) == (("cat", "dog"), 3)
    prepared = prepare(found, image_size=8, resize_mode="crop", seed=0, folder=tmp_path / "o")
    assert [len(prepared.images(s)) for s in ("train", "test")] == [12, 6]
    assert prepared.labels("test").tolist() == [0, 1] * 3
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'genpipe\[hub\]'"):
        _ = source("hugging_face", path="a/b").classes
