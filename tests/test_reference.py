"""What is kept of the real images of a data set, so that no experiment makes it again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genpipe import config, teaching
from genpipe.config import Project
from genpipe.data._preparing import prepare
from genpipe.data._storage import extra_file
from genpipe.errors import DataError
from genpipe.interfaces import Evidence
from genpipe.metrics._balls import balls, of_evidence
from genpipe.metrics._frechet import GAUSSIAN, distance, statistics
from genpipe.reference import Reference, load_references
from genpipe.teaching import make_references


@pytest.fixture
def made(project: Path, tmp_path: Path) -> Project:
    """A project with a data set and its reference."""
    opened = config.load()
    prepare(opened.data("tiny").opened, size=8, fit="crop", seed=0, folder=tmp_path / "data" / "tiny")
    make_references(opened, "tiny")
    return opened


def reference(made: Project) -> Reference:
    return load_references(made, "tiny")[0]


def test_the_gaussian_and_the_nearest_others_are_those_of_the_features(made: Project) -> None:
    training = reference(made).real.training
    fresh = statistics(np.array(training.features))
    assert GAUSSIAN.of(training).mean.tobytes() == fresh.mean.tobytes()
    assert distance(GAUSSIAN.of(training), fresh) == pytest.approx(0, abs=1e-9)
    expected = balls(np.array(training.features), (3, 5))
    assert of_evidence(training, (3, 5)).squared_radii.tobytes() == expected.squared_radii.tobytes()


def test_what_is_stored_is_read_and_nothing_is_computed(made: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def computed(_: Evidence) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(GAUSSIAN, "made", computed)
    training = reference(made).real.training
    assert GAUSSIAN.of(training) is GAUSSIAN.of(training)
    with pytest.raises(AssertionError, match="computed again"):
        GAUSSIAN.of(replace(training, kept=lambda name: None))


def test_of_farther_neighbours_than_are_kept_the_balls_are_made(made: Project) -> None:
    training = reference(made).real.training
    expected = balls(np.array(training.features), (2, 20))
    assert of_evidence(training, (2, 20)).squared_radii.tobytes() == expected.squared_radii.tobytes()


def test_a_change_of_metrics_makes_statistics_again_and_teaches_nothing(
    made: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = reference(made).folder
    files = {name: folder / name for name in ("statistics/gaussian.npz", "weights.safetensors", "train/features.npy")}

    def changed() -> set[str]:
        before = {name: file.stat().st_ino for name, file in files.items()}
        make_references(made, "tiny")
        return {name for name, file in files.items() if file.stat().st_ino != before[name]}

    assert changed() == set()
    digest = teaching.code_digest

    def of_other_metrics(root: Path, stage: str, concerns) -> str:  # type: ignore[no-untyped-def]
        return digest(root, stage, concerns) + ("changed" if concerns(Path("metrics/fid.py")) else "")

    monkeypatch.setattr(teaching, "code_digest", of_other_metrics)
    assert changed() == {"statistics/gaussian.npz"}


def test_a_damaged_statistic_is_named(made: Project) -> None:
    (reference(made).folder / "statistics/gaussian.npz").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match=r"gaussian\.npz cannot be read"):
        GAUSSIAN.of(reference(made).real.training)


def test_what_the_source_knows_of_an_image_comes_with_it(made: Project, tmp_path: Path) -> None:
    assert reference(made).real.training.factors == {}, "digits know of nothing but their class"
    for split, count in (("train", 1437), ("test", 360)):
        np.save(extra_file(tmp_path / "data" / "tiny", split, "slant"), np.linspace(0, 1, count))
        np.save(extra_file(tmp_path / "data" / "tiny", split, "word"), np.full(count, "text"))
    held_out = reference(made).real.held_out
    assert list(held_out.factors) == ["slant"]
    assert held_out.part(slice(350, 360)).factors["slant"].tolist() == np.linspace(0, 1, 360)[350:].tolist()
