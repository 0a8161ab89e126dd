import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from genpipe import registry
from genpipe.config.selection import chosen
from genpipe.dataset import preparing
from genpipe.dataset.preparing import prepare
from genpipe.dataset.splitting import divided
from genpipe.dataset.storage import Prepared
from genpipe.dataset.working import Target, Work, done
from genpipe.errors import DataError
from genpipe.interfaces.sources import Chunk, Collection, Source
from genpipe.interfaces.spec import FieldSpec
from genpipe.schema import Strict


def square(n: int = 4, size: int = 6, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, (n, size, size, channels), dtype=np.uint8)


@pytest.mark.parametrize("name", ["digits", "mnist5k", "shapes"])
def test_a_source_gives_what_it_announces(name: str, tmp_path: Path, source: Callable[..., Source]) -> None:
    found = source(name)
    prepared = prepare(found, image_size=16, resize_mode="crop", seed=0, folder=tmp_path / "a", max_images=700)
    assert prepared.spec.shape == (found.channels, 16, 16)
    for split in ("train", "test"):
        images, labels = prepared.images(split), prepared.labels(split)
        assert images.std() > 10
        assert len(labels) == len(images)
        assert set(labels) == set(range(len(found.classes)))
    again = prepare(source(name), image_size=16, resize_mode="crop", seed=0, folder=tmp_path / "b", max_images=700)
    other = prepare(source(name), image_size=16, resize_mode="crop", seed=1, folder=tmp_path / "c", max_images=700)
    assert prepared.sha256 == again.sha256 != other.sha256


@pytest.mark.parametrize("name", registry.names("data"))
def test_a_source_has_what_the_configuration_asks_for(name: str) -> None:
    kind = registry.load("data", name)
    assert issubclass(kind, Source)
    assert registry.summary(registry.find("data", name))
    given = {
        "path": "x", "image": "left", "fields": {"map": {"path": "y", "kind": "mask"}}, "folders": {"a": "x", "b": "y"}
    }  # fmt: skip
    config = kind.Config(**{key: value for key, value in given.items() if key in kind.Config.model_fields})
    assert kind(config, Path()).watched_paths in ((), ("x",), ("x", "y"))


def test_mnist5k_is_split_evenly(source: Callable[..., Source]) -> None:
    found = source("mnist5k").collection(0)
    assert np.bincount(found.labels[found.splits == 0]).tolist() == [400] * 10
    assert np.bincount(found.labels[found.splits == 1]).tolist() == [100] * 10
    images = np.concatenate([chunk.images for chunk in found.read(np.arange(5000))])
    assert len(np.unique(images.reshape(-1, 784), axis=0)) == 5000, "no image is in both"


def test_the_split_of_mnist5k_is_that_of_the_first_results(source: Callable[..., Source], tmp_path: Path) -> None:
    prepared = prepare(source("mnist5k"), image_size=32, resize_mode="pad", seed=0, folder=tmp_path / "x")
    assert prepared.sha256 == "62dd3e1e009ef3e9946c162580b394de521dfd918bffc190677ecbfb59a01bf9"


class Given(Source):
    """Gives chunks that it is given."""

    class Config(Strict): ...

    classes, channels = ("a", "b"), 1

    def __init__(self, chunks: list[Chunk], announced: int) -> None:
        self.chunks, self.announced = chunks, announced

    @property
    def fields(self) -> dict[str, FieldSpec]:
        return {name: FieldSpec("number") for name in ("number", "weight") if name in self.chunks[0].fields}

    def collection(self, seed: int) -> Collection:
        parts = np.arange(self.announced) % 2
        return Collection(lambda rows: self.chunks, parts, parts)


@pytest.mark.parametrize(
    ("images", "announced", "message"),
    [
        (square(4), 3, r"a chunk of uint8 \(4, 6, 6, 1\) came after 0 of 3 images"),
        (square(4), 5, r"5 images were announced; 4 came"),
        (square(4, channels=4), 4, r"a chunk of uint8 \(4, 6, 6, 4\)"),
        (square(1), 1, r"no image is left for the test split"),
        (np.zeros((4, 1, 51, 1), np.uint8), 4, r"images of 51×1 pixels one side is more than 50 times the other"),
    ],
)
def test_a_source_that_gives_something_else_is_found_out_and_leaves_nothing(
    images: np.ndarray, announced: int, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        prepare(Given([Chunk(images)], announced), image_size=8, resize_mode="pad", seed=0, folder=tmp_path / "x")
    assert not list(tmp_path.glob("*x*"))


def test_fields_follow_their_images(tmp_path: Path) -> None:
    chunk = Chunk(square(4), {"number": np.arange(4), "weight": np.linspace(0, 1, 4)})
    prepared = prepare(Given([chunk], 4), image_size=6, resize_mode="pad", seed=0, folder=tmp_path / "x")
    assert prepared.field("test", "number").tolist() == [1, 3]
    assert prepared.field("train", "weight").tolist() == [0, 2 / 3]
    with pytest.raises(DataError, match=r"knows no 'nubmer' of its images\. Did you mean 'number'"):
        prepared.field("train", "nubmer")


def test_a_field_that_was_not_declared_is_refused(tmp_path: Path) -> None:
    chunk = Chunk(square(4), {"color": np.arange(4)})
    with pytest.raises(DataError, match="images came with 'color', which is no field that the source declares"):
        prepare(Given([chunk], 4), image_size=6, resize_mode="pad", seed=0, folder=tmp_path / "x")


@pytest.mark.parametrize(
    ("name", "knobs"), [("shapes", {}), ("shapes", {"sweep_images": 10}), ("solids", {}), ("mixture", {})]
)
def test_a_source_names_what_it_knows_of_each_image(
    name: str, knobs: dict[str, int], tmp_path: Path, source: Callable[..., Source]
) -> None:
    found = source(name, images=60, test_images=20, **knobs)
    (chunk, *_) = found.collection(0).read(np.arange(60))
    assert {*found.fields} == {*chunk.fields}
    prepared = prepare(found, image_size=16, resize_mode="crop", seed=0, folder=tmp_path / "o")
    assert {*prepared.factors("train")} == {name for name, values in chunk.fields.items() if values.ndim == 1}


def test_flip_is_noted_and_makes_another_data_set(tmp_path: Path) -> None:
    plain, flipped = (
        prepare(
            Given([Chunk(square(4))], 4),
            image_size=6,
            resize_mode="pad",
            seed=0,
            folder=tmp_path / str(flip),
            horizontal_flip=flip,
        )
        for flip in (False, True)
    )
    assert (plain.horizontal_flip, flipped.horizontal_flip) == (False, True)
    assert plain.sha256 != flipped.sha256


def test_channels_may_be_asked_for(tmp_path: Path) -> None:
    knobs = {"image_size": 6, "resize_mode": "pad", "seed": 0, "folder": tmp_path / "x"}
    color = prepare(Given([Chunk(square(4))], 4), **knobs, channels=3).images("train")
    assert color.shape == (2, 3, 6, 6)
    assert (color == color[:, :1]).all()
    red = np.tile(np.array([255, 0, 0], np.uint8), (4, 6, 6, 1))
    gray = prepare(Given([Chunk(red)], 4), **knobs, channels=1)
    assert set(gray.images("train").ravel()) == {76}


def test_a_limit_takes_so_many_of_each_split_by_the_seed() -> None:
    parts = np.array([0] * 50 + [1] * 10)
    rows = chosen(parts, 12, 0)
    assert np.bincount(parts[rows]).tolist() == [12, 10]
    assert (np.diff(rows) > 0).all()
    assert rows.tolist() == chosen(parts, 12, 0).tolist() != chosen(parts, 12, 1).tolist()


@pytest.mark.parametrize("fit", ["crop", "random_crop", "pad", "stretch"])
@pytest.mark.usefixtures("cheap_processes")
def test_the_same_images_for_any_number_of_workers(
    fit: str, class_folders: Path, source: Callable[..., Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "CHUNK_BYTES", 300)
    digests = {
        prepare(
            source("folder", path="pictures"), image_size=6, resize_mode=fit, seed=3, folder=tmp_path / "x", workers=n
        ).sha256
        for n in ((1, 2, 3) if fit == "random_crop" else (1, 2))
    }
    assert len(digests) == 1


def test_random_crops_are_decided_by_seed_and_number() -> None:
    wide = np.arange(40, dtype=np.uint8)[None, None, :, None].repeat(4, 1).repeat(30, 0)
    one, two = (done(Work(wide, np.arange(30), {}, Target(4, 1, "random_crop", seed))).images for seed in (0, 1))
    lefts = one[:, 0, 0, 0]
    assert len(set(lefts)) > 10
    assert 0 <= lefts.min() < 9
    assert 27 < lefts.max() <= 36
    assert (one != two).any()
    some = done(Work(wide[:3], np.arange(10, 13), {}, Target(4, 1, "random_crop", 0))).images
    assert (some == one[10:13]).all()


@pytest.mark.parametrize("labels", [[0] * 9 + [1], [0, 0, 0, 1, 1, 1, 2, 2, 2, 2], [5] * 10])
@pytest.mark.parametrize("test_images", [1, 4, 9])
def test_splits_are_complete_and_in_proportion(labels: list[int], test_images: int) -> None:
    train, test = divided(np.array(labels), test_images, 0)
    assert sorted([*train, *test]) == list(range(10))
    assert len(test) == test_images
    for label in set(labels):
        share = test_images * labels.count(label) / 10
        assert abs(sum(labels[row] == label for row in test) - share) < 1


def test_more_test_images_than_there_are() -> None:
    with pytest.raises(DataError, match="test_images is 10, but there are 10 images: give 1 to 9"):
        divided(np.zeros(10, int), 10, 0)


MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
from genpipe import registry
from genpipe.dataset.preparing import prepare
kind = registry.load("data", "arrays")
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
if __name__ == "__main__":
    before = peak()
    prepare(kind(kind.Config(path=sys.argv[1]), Path()), image_size=64, resize_mode="crop", seed=0,
            folder=Path(sys.argv[2]), workers=1)
    print(peak() - before)
"""


def test_memory_stays_far_below_the_size_of_the_data(tmp_path: Path) -> None:
    out = np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, (20_000, 64, 64, 3))
    out[:, ::7] = np.arange(20_000, dtype=np.uint8)[:, None, None, None]
    del out
    arguments = [sys.executable, "-c", MEMORY, str(tmp_path / "images.npy"), str(tmp_path / "prepared")]
    grown_mib = float(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)
    assert (tmp_path / "prepared" / "train_images.npy").stat().st_size > 200 * 2**20
    assert grown_mib < 60


@pytest.fixture
def prepared(tmp_path: Path, source: Callable[..., Source]) -> Prepared:
    return prepare(source("digits"), image_size=8, resize_mode="pad", seed=0, folder=tmp_path / "digits")


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
    with pytest.raises(DataError, match=r"meta\.json: no JSON"):
        Prepared.open(prepared.folder)
    with pytest.raises(DataError, match="holds no prepared data set"):
        Prepared.open(prepared.folder / "elsewhere")


def test_arrays_that_would_run_code_are_not_loaded(prepared: Prepared) -> None:
    np.save(prepared.folder / "train_images.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="damaged"):
        prepared.images("train")


def test_binarized_images_have_two_levels_which_the_numbers_of_the_images_decide() -> None:
    gray = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (600, 1)).reshape(-1, 8, 8, 1)
    target = Target(8, 1, seed=3)
    by_nearest = done(Work(gray, np.arange(600), {}, target._replace(binarize="threshold"))).images
    assert (by_nearest == np.where(gray.transpose(0, 3, 1, 2) > 127, 255, 0)).all()
    drawn = done(Work(gray, np.arange(600), {}, target._replace(binarize="sampled"))).images
    assert set(np.unique(drawn)) == {0, 255}
    np.testing.assert_allclose(drawn.mean(0).ravel(), gray[0].ravel(), atol=4 * 255 / 2 / 600**0.5)
    some = done(Work(gray[:5], np.arange(40, 45), {}, target._replace(binarize="sampled"))).images
    assert (some == drawn[40:45]).all(), "whatever chunk an image is in"
    other = done(Work(gray[:5], np.arange(40, 45), {}, target._replace(binarize="sampled", seed=4))).images
    assert (some != other).any()


def test_a_binarized_data_set_knows_that_it_has_two_levels(tmp_path: Path, source: Callable[..., Source]) -> None:
    found = source("digits")
    two = prepare(
        found, image_size=8, resize_mode="crop", seed=0, folder=tmp_path / "a", max_images=50, binarize="sampled"
    )
    gray = prepare(found, image_size=8, resize_mode="crop", seed=0, folder=tmp_path / "b", max_images=50)
    assert (two.spec.levels, gray.spec.levels) == (2, 256)
    assert set(np.unique(two.images("test"))) == {0, 255}
    assert two.sha256 != gray.sha256


def test_so_many_labels_are_known_of_all_classes_alike(tmp_path: Path) -> None:
    digits = registry.load("data", "digits")
    source = digits(digits.Config(), tmp_path)
    knobs = {"image_size": 8, "resize_mode": "crop"}
    found = prepare(source, **knobs, seed=0, num_labels=23, folder=tmp_path / "found")
    rows, labels = found.field("train", "known_label"), found.labels("train")
    known = rows.any(1)
    assert rows.shape == (len(labels), 10)
    assert sorted(rows.sum(0)) == [2] * 7 + [3] * 3
    np.testing.assert_array_equal(rows[known], np.eye(10)[labels[known]])
    assert "known_label" not in found.factors("train")
    other = prepare(source, **knobs, seed=1, num_labels=23, folder=tmp_path / "other")
    assert not np.array_equal(known, other.field("train", "known_label").any(1))
    assert found.sha256 != prepare(source, **knobs, seed=0, folder=tmp_path / "plain").sha256
    with pytest.raises(DataError, match="labeled is 100000, but there are"):
        prepare(source, **knobs, seed=0, num_labels=100_000, folder=tmp_path / "none")
