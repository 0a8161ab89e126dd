"""Classes of which there is no training image: left out, or never there."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genpipe import registry
from genpipe.dataset.preparing import prepare
from genpipe.dataset.storage import Prepared
from genpipe.errors import DataError

Source = Callable[..., Any]
KNOBS = {"image_size": 8, "resize_mode": "crop", "seed": 0}


@pytest.mark.parametrize("limit", [None, 200])
def test_a_class_is_left_out_of_the_training_alone(tmp_path: Path, limit: int | None) -> None:
    digits = registry.load("data", "digits")
    source = digits(digits.Config(), tmp_path)
    knobs = {"image_size": 8, "resize_mode": "crop", "seed": 0, "max_images": limit}
    whole = prepare(source, **knobs, folder=tmp_path / "whole")
    found = prepare(source, **knobs, exclude_classes=[3, "7"], folder=tmp_path / "found")
    assert set(range(10)) - set(found.labels("train")) == {3, 7}
    np.testing.assert_array_equal(found.labels("test"), whole.labels("test"))
    assert (whole.spec.untrained, found.spec) == ((), replace(whole.spec, untrained=(3, 7)))
    assert found.sha256 != whole.sha256
    if limit is None:
        kept = ~np.isin(whole.labels("train"), [3, 7])
        np.testing.assert_array_equal(found.images("train"), whole.images("train")[kept])
    with pytest.raises(DataError, match="exclude_classes: there is no class '12'"):
        prepare(source, **knobs, exclude_classes=[12], folder=tmp_path / "none")


def test_labels_that_begin_at_one_leave_a_class_without_images(tmp_path: Path, source: Source) -> None:
    labels = np.arange(40) % 4 + 1
    np.savez(tmp_path / "x.npz", images=np.zeros((40, 8, 8), np.uint8), labels=labels)
    found = prepare(source("arrays", path="x.npz"), **KNOBS, folder=tmp_path / "found")
    assert (found.spec.classes, found.spec.untrained, found.spec.trained) == (tuple("01234"), (0,), (1, 2, 3, 4))
    assert Prepared.open(tmp_path / "found").spec == found.spec


def test_a_gap_in_dataset_json_is_a_class_without_images(tmp_path: Path, source: Source, picture: Any) -> None:
    files = [f"{number}.png" for number in range(20)]
    for number, name in enumerate(files):
        (tmp_path / "x" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "x" / name).write_bytes(picture(number))
    note = {"labels": [[name, 2 * (number % 2)] for number, name in enumerate(files)]}
    (tmp_path / "x" / "dataset.json").write_text(json.dumps(note))
    found = prepare(source("folder", path="x"), **KNOBS, folder=tmp_path / "found")
    assert (found.spec.classes, found.spec.untrained) == (("0", "1", "2"), (1,))


def splits(tmp_path: Path, picture: Any, *names: str) -> None:
    for number, name in enumerate(names):
        path = tmp_path / "x" / name / f"{number}.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(picture(number))


def test_a_class_in_the_test_split_alone_is_not_trained(tmp_path: Path, source: Source, picture: Any) -> None:
    splits(tmp_path, picture, "train/a", "train/b", "test/a", "test/c")
    found = prepare(source("folder", path="x"), **KNOBS, folder=tmp_path / "found")
    assert (found.spec.classes, found.spec.untrained) == (("a", "b", "c"), (2,))


def test_a_limit_may_leave_a_class_without_images(tmp_path: Path, source: Source) -> None:
    found = prepare(source("digits"), **KNOBS, max_images=6, folder=tmp_path / "found")
    assert found.spec.trained == tuple(np.unique(found.labels("train")).tolist())
    assert len(found.spec.untrained) >= 4
