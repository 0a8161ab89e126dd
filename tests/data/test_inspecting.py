from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from genpipe.dataset.inspecting import inspect_source
from genpipe.dataset.working import Target


def test_a_look_counts_names_and_shows(class_folders: Path, source: Callable[..., Any], picture: Any) -> None:
    (class_folders / "a" / "05.png").write_bytes(b"broken")
    (class_folders / "a" / "99.png").write_bytes((class_folders / "b" / "04.png").read_bytes())
    (class_folders / "b" / "98.png").write_bytes(picture(98, 16))
    told: list[tuple[int, int]] = []
    folder = source("folder", path="pictures", test_images=4)
    found = inspect_source(folder, Target(8, 3), images=9, workers=1, shown=lambda *n: told.append(n))
    assert {name: sum(counts) for name, counts in found.classes.items()} == {"a": 13, "b": 13}
    assert sum(counts[1] for counts in found.classes.values()) == 4
    assert found.sizes == {(8, 8): 24, (16, 16): 1}
    assert found.duplicates == [("b/04.png", "a/99.png")]
    assert [name for name, _ in found.broken] == ["a/05.png"]
    assert told[-1] == (26, 26)
    assert found.sheet.shape == (2 + 2 * 10, 2 + 8 * 10, 3)
    assert found.sheet.std() > 10


def test_classes_without_training_images_are_named(class_folders: Path, source: Callable[..., Any]) -> None:
    folder = source("folder", path="pictures", test_images=4)
    assert inspect_source(folder, Target(8, 3), workers=1).untrained == []
    found = inspect_source(folder, Target(8, 3), exclude_classes=["b"], workers=1)
    assert found.untrained == ["b"]
    assert found.classes["b"] == [0, 2]


def test_a_duplicate_in_both_splits_is_a_leak(source: Callable[..., Any], picture: Any, tmp_path: Path) -> None:
    for name in ("train/1", "train/2", "test/3", "test/4"):
        path = tmp_path / "x" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(0 if name in ("train/1", "test/4") else int(name[-1])))
    found = inspect_source(source("folder", path="x"), Target(8, 3), workers=1)
    assert (len(found.duplicates), found.leaked) == (1, 1)
    assert np.array(list(found.classes.values())).tolist() == [[2, 2]]
