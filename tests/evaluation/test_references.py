"""What is kept of the real images of a data set, so that no experiment makes it again."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from genpipe import fingerprints, paths
from genpipe.config.project import Project, load_project
from genpipe.dataset.preparing import prepare
from genpipe.dataset.storage import field_file
from genpipe.errors import DataError
from genpipe.evaluation.extractor_training import make_references
from genpipe.evaluation.references import Reference, load_references
from genpipe.evaluation.scoring import scored, unscored, view
from genpipe.files import read_json, write_json
from genpipe.interfaces.extractors import FeatureSet
from genpipe.interfaces.spec import DataSpec
from genpipe.metrics._balls import balls, of_evidence
from genpipe.metrics._frechet import GAUSSIAN, distance, statistics
from genpipe.sampling.drawing import Samples, save_samples
from genpipe.standins import build


@pytest.fixture
def made(project: Path, tmp_path: Path) -> Project:
    """A project with a data set and its reference."""
    opened = load_project()
    prepare(opened.data("tiny").opened, image_size=8, resize_mode="crop", seed=0, folder=tmp_path / "data" / "tiny")
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
    def computed(_: FeatureSet) -> None:
        raise AssertionError("computed again")

    GAUSSIAN.of(reference(made).real.training)
    computed.__module__ = GAUSSIAN.made.__module__
    monkeypatch.setattr(GAUSSIAN, "made", computed)
    training = reference(made).real.training
    assert GAUSSIAN.of(training) is GAUSSIAN.of(training)
    with pytest.raises(AssertionError, match="computed again"):
        GAUSSIAN.of(training.part(slice(None)))


def test_of_farther_neighbors_than_are_kept_the_balls_are_made(made: Project) -> None:
    training = reference(made).real.training
    expected = balls(np.array(training.features), (2, 20))
    assert of_evidence(training, (2, 20)).squared_radii.tobytes() == expected.squared_radii.tobytes()


def test_a_change_of_a_metric_makes_its_statistic_again_and_teaches_nothing(
    made: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stored() -> dict[Path, int]:
        make_references(made, "tiny")
        GAUSSIAN.of(reference(made).real.training)
        files = [*reference(made).folder.rglob("*.*"), *(made.root / ".genpipe/statistics").iterdir()]
        return {file: file.stat().st_ino for file in files}

    before, of_modules = stored(), fingerprints.of_modules
    assert stored() == before

    def of_another_metric(root: Path, modules: Sequence[str]) -> fingerprints.Code:
        changed = {"changed": "0"} if "genpipe.metrics._frechet" in modules else {}
        return of_modules(root, modules) | changed

    monkeypatch.setattr(fingerprints, "of_modules", of_another_metric)
    (new,) = set(stored().items()) - set(before.items())
    assert new[0].name.startswith("gaussian-")


def test_the_keys_are_of_the_code_that_was_there_when_it_was_verified(
    made: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verified() -> None:
        monkeypatch.setattr(fingerprints, "of_modules", lambda *_: {"edited": "since"})

    key, folder = reference(made).key, reference(made).folder
    (folder / "about.json").unlink()
    make_references(made, "tiny", verify=verified)
    assert reference(made).key == key


def test_a_damaged_statistic_is_named(made: Project) -> None:
    GAUSSIAN.of(reference(made).real.training)
    (file,) = (made.root / ".genpipe/statistics").iterdir()
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match=rf"{file.name} cannot be read"):
        GAUSSIAN.of(reference(made).real.training)


def test_what_the_source_knows_of_an_image_comes_with_it(made: Project, tmp_path: Path) -> None:
    assert reference(made).real.training.factors == {}, "digits know of nothing but their class"
    for split, count in (("train", 1437), ("test", 360)):
        np.save(field_file(tmp_path / "data" / "tiny", split, "slant"), np.linspace(0, 1, count))
        np.save(field_file(tmp_path / "data" / "tiny", split, "point"), np.zeros((count, 2)))
    meta = tmp_path / "data" / "tiny" / "meta.json"
    said, number = read_json(meta), {"kind": "number", "shape": [], "size": 0, "names": []}
    said["data_spec"]["fields"] = {"slant": number, "point": {**number, "shape": [2]}}
    write_json(meta, said)
    held_out = reference(made).real.held_out
    assert list(held_out.factors) == ["slant"]
    assert held_out.part(slice(350, 360)).factors["slant"].tolist() == np.linspace(0, 1, 360)[350:].tolist()


@pytest.fixture
def without(project: Path) -> Project:
    """The same project without training images of three of the classes, whose reference is made."""
    index = project / "params.yaml"
    index.write_text(index.read_text().replace("test_images: 360", "test_images: 360, exclude_classes: [0, 4, 9]"))
    opened = load_project()
    knobs = opened.data("tiny").common.model_dump(exclude={"source", "extractors", "extractor_steps", "derive"})
    prepare(opened.data("tiny").opened, **knobs, seed=0, folder=project / "data" / "tiny")
    make_references(opened, "tiny")
    return opened


def test_a_class_without_training_images_has_no_probability_and_counts_for_no_accuracy(without: Project) -> None:
    seen = reference(without)
    held_out = seen.real.held_out
    assert (np.asarray(held_out.probabilities)[:, [0, 4, 9]] == 0).all()
    np.testing.assert_allclose(held_out.probabilities.sum(1), 1, atol=1e-5)
    known = ~np.isin(held_out.labels, [0, 4, 9])
    right = held_out.probabilities.argmax(1) == held_out.labels
    assert seen.described["extractor_accuracy"] == pytest.approx(right[known].mean())
    assert seen.described["extractor_accuracy"] > right.mean()


def test_held_out_images_of_such_a_class_are_scored_in_no_ones_place(without: Project, project: Path) -> None:
    held_out = reference(without).real.held_out
    samples = Samples(np.array(held_out.images[:50]), reconstructions=np.array(held_out.images))
    save_samples(samples, project / paths.samples("first"))
    pipeline = project / "pipelines" / "first.yaml"
    pipeline.write_text(pipeline.read_text().replace("    fid: {}", "    fid: {}\n    psnr: {}"))
    seen = view(without, without.experiment("first"), reference(without), build("vae", DataSpec(1, 8, 8)))
    images, truth = seen.pairs
    assert len(seen.real_baseline.images) == len(images.images) == (~np.isin(held_out.labels, [0, 4, 9])).sum()
    assert set(seen.real_baseline.labels) == {1, 2, 3, 5, 6, 7, 8}
    assert (images.images == seen.real.held_out.images).all()
    assert (truth.images == images.images).all()
    assert len(seen.real.training.images) == len(reference(without).real.training.images)


def test_a_metric_that_gives_no_score_is_named_with_the_reason(made: Project, project: Path) -> None:
    save_samples(Samples(np.array(reference(made).prepared.images("train")[:1])), project / paths.samples("first"))
    views = [view(made, made.experiment("first"), reference(made), build("vae", DataSpec(1, 8, 8)))]
    metrics = made.experiment("first").metrics
    _, how = scored(metrics, views, 0)
    assert unscored(metrics, views, how) == {
        "inception_score": "it needs 2 samples, and there is 1",
        "fid": "it needs 2 samples, and there is 1",
    }
