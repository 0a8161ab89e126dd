"""Images in .npz and .npy files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from genpipe.dataset.preparing import prepare
from genpipe.errors import DataError

RNG = np.random.default_rng(0)
X, Y = RNG.integers(0, 256, (30, 6, 6), dtype=np.uint8), np.arange(30) % 3
Build = Callable[..., Any]


def read(source: Any) -> np.ndarray:
    count = len(source.collection(0).splits)
    return np.concatenate([chunk.images for chunk in source.collection(0).read(np.arange(count))])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    "names",
    [("x_train", "y_train", "x_test", "y_test"), ("train_images", "train_labels", "test_images", "test_labels")],
)
def test_official_splits(save: Any, names: tuple[str, ...], tmp_path: Path, source: Build) -> None:
    save(tmp_path / "x.npz", **dict(zip(names, (X[:20], Y[:20], X[20:], Y[20:, None]), strict=True)))
    found = source("arrays", path="x.npz")
    assert (found.classes, found.channels) == (("0", "1", "2"), 1)
    prepared = prepare(found, image_size=6, resize_mode="pad", seed=0, folder=tmp_path / "o")
    assert (prepared.images("train")[:, 0] == X[:20]).all()
    assert (prepared.images("test")[:, 0] == X[20:]).all()
    assert prepared.labels("test").tolist() == Y[20:].tolist()


def test_images_with_labels_are_split_by_the_seed(tmp_path: Path, source: Build) -> None:
    np.savez(tmp_path / "x.npz", images=X, labels=Y)
    prepared = prepare(
        source("arrays", path="x.npz", test_images=6), image_size=6, resize_mode="pad", seed=0, folder=tmp_path / "o"
    )
    assert np.bincount(prepared.labels("test")).tolist() == [2, 2, 2]
    for split in ("train", "test"):
        for image, label in zip(prepared.images(split), prepared.labels(split), strict=True):
            (row,) = np.flatnonzero((image[0] == X).all((1, 2)))
            assert Y[row] == label


def test_a_single_array_without_labels(tmp_path: Path, source: Build) -> None:
    np.save(tmp_path / "x.npy", X)
    found = source("arrays", path="x.npy")
    assert found.classes == ()
    assert np.bincount(found.collection(0).splits).tolist() == [27, 3]
    assert (read(found)[..., 0] == X).all()


COLOR = RNG.integers(0, 256, (4, 6, 6, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (COLOR, COLOR),
        (COLOR.transpose(0, 3, 1, 2), COLOR),
        (COLOR[..., :1], COLOR[..., :1]),
        ((COLOR / 255).astype(np.float32), COLOR),
        (COLOR[..., 0] > 99, (COLOR[..., :1] > 99) * np.uint8(255)),
        (np.concatenate([COLOR, np.full((4, 6, 6, 1), 255, np.uint8)], 3), COLOR),
        (np.concatenate([COLOR, np.zeros((4, 6, 6, 1), np.uint8)], 3), np.full_like(COLOR, 255)),
    ],
    ids=["last", "first", "one", "float", "bool", "opaque", "clear"],
)
def test_every_way_of_storing_pixels(stored: np.ndarray, expected: np.ndarray, tmp_path: Path, source: Build) -> None:
    np.savez(tmp_path / "x.npz", images=stored)
    found = source("arrays", path="x.npz")
    assert (read(found) == expected).all()
    assert found.channels == expected.shape[3]


GRAY = COLOR[..., :1]


@pytest.mark.parametrize(
    ("stored", "value_range"),
    [
        (GRAY.astype(np.uint16), [0, 255]),
        (GRAY.astype(np.uint16) * 257, [0, 65535]),
        (GRAY.astype(">i4"), [0, 255]),
        (GRAY.astype(np.int64) - 128, [-128, 127]),
        (GRAY.astype(np.float32), [0, 255]),
        (GRAY.astype(np.float64) / 127.5 - 1, [-1, 1]),
        (GRAY.astype(np.float16), [0.0, 255.0]),
    ],
    ids=["uint16", "deep", "int32", "int64", "float", "signed", "half"],
)
def test_what_is_black_and_white_is_asked_for_where_it_is_not_certain(
    stored: np.ndarray, value_range: list[float], tmp_path: Path, source: Build
) -> None:
    np.save(tmp_path / "x.npy", stored)
    with pytest.raises(DataError, match=r"not certain.*`value_range: \[BLACK, WHITE\]`, or save the images as uint8"):
        read(source("arrays", path="x.npy"))
    assert (read(source("arrays", path="x.npy", value_range=value_range)) == GRAY).all()
    with pytest.raises(DataError, match=r"images of .* from .* to .*; value_range is \["):
        read(source("arrays", path="x.npy", value_range=[value_range[0], sum(value_range) / 2]))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_two_levels_are_black_and_white(dtype: type, tmp_path: Path, source: Build) -> None:
    np.save(tmp_path / "x.npy", (GRAY > 99).astype(dtype))
    knobs = {"value_range": [0, 1]} if dtype in (np.uint8, np.int64) else {}
    if knobs:
        with pytest.raises(DataError, match=r"images of u?int\d+ (of 0 and 1 alone|from 0 to 1); .*value_range"):
            read(source("arrays", path="x.npy"))
    assert (read(source("arrays", path="x.npy", **knobs)) == (GRAY > 99) * np.uint8(255)).all()


def test_dark_images_stay_dark_where_that_is_said(tmp_path: Path, source: Build) -> None:
    np.save(tmp_path / "x.npy", (GRAY > 99).astype(np.uint8))
    assert (read(source("arrays", path="x.npy", value_range=[0, 255])) == (GRAY > 99)).all()
    np.save(tmp_path / "x.npy", np.zeros_like(GRAY))
    assert not read(source("arrays", path="x.npy")).any()


@pytest.mark.parametrize("given", [[0], [0, 1, 2], [1, 0], [1, 1], [0, float("nan")], [0, float("inf")], ["0", "1"]])
def test_a_value_range_that_is_none(given: list, source: Build) -> None:
    with pytest.raises(ValidationError, match="value_range"):
        source("arrays", path="x.npy", value_range=given)


def test_only_the_wanted_rows_come_and_from_the_right_part(tmp_path: Path, source: Build, monkeypatch) -> None:
    from genpipe.data import arrays

    monkeypatch.setattr(arrays, "CHUNK_IMAGES", 7)
    np.savez(tmp_path / "x.npz", x_train=X[:20], x_test=X[20:])
    rows = np.array([0, 6, 7, 19, 20, 29])
    got = np.concatenate([c.images for c in source("arrays", path="x.npz").collection(0).read(rows)])
    assert (got[..., 0] == X[rows]).all()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pictures": X}, r"holds pictures; understood are x_train"),
        ({"images": X, "labels": Y[:9]}, r"'labels' is int64 \(9,\); 30 whole numbers are needed"),
        ({"images": X, "labels": Y - 1}, r"classes, counted from 0"),
        ({"images": X.reshape(30, 36)}, r"images of shape \(36,\)"),
        ({"images": np.array([{}] * 3, object)}, r"cannot be read|holds objects"),
        ({"images": np.asfortranarray(X)}, r"laid out by columns"),
        ({"images": X.astype(np.float32)}, r"images of float32 from 0.0 to 255.0"),
        ({"x_train": X, "y_train": Y, "x_test": X}, r"one split has labels"),
    ],
)
def test_what_cannot_be_understood(arrays: dict[str, Any], message: str, tmp_path: Path, source: Build) -> None:
    np.savez(tmp_path / "x.npz", allow_pickle=True, **arrays)
    with pytest.raises(DataError, match=message):
        found = source("arrays", path="x.npz")
        assert found.classes is not None
        read(found)


def test_a_file_that_is_damaged_or_missing(tmp_path: Path, source: Build) -> None:
    np.save(tmp_path / "x.npy", X)
    content = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(content[:600])
    with pytest.raises(DataError, match="would end after 1,208 bytes, and there are 600"):
        read(source("arrays", path="x.npy"))
    for spoilt in (b"", b"PK\3\4 no zip", content[:30]):
        (tmp_path / "x.npy").write_bytes(spoilt)
        with pytest.raises(DataError, match="cannot be read"):
            read(source("arrays", path="x.npy"))
    with pytest.raises(DataError, match="does not exist"):
        read(source("arrays", path="y.npy"))


def test_the_state_changes_with_the_file(tmp_path: Path, source: Build) -> None:
    np.save(tmp_path / "x.npy", X)
    before = source("arrays", path="x.npy").state()
    np.save(tmp_path / "x.npy", X[:-1])
    assert source("arrays", path="x.npy").state() != before


def test_all_of_mnist(real_data: Callable[[str], Path], source: Build, tmp_path: Path) -> None:
    path = real_data("mnist.npz")
    found = source("arrays", path=str(path))
    prepared = prepare(found, image_size=28, resize_mode="pad", seed=0, folder=tmp_path / "o")
    with np.load(path, allow_pickle=False) as known:
        assert (prepared.images("train")[:, 0] == known["x_train"]).all()
        assert (prepared.labels("test") == known["y_test"]).all()
