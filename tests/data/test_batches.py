from concurrent.futures import wait
from time import sleep

import numpy as np
import pytest
import torch

from genpipe.dataset import batches
from genpipe.dataset.batches import BatchLoader, StoredField
from genpipe.interfaces.spec import FieldSpec
from genpipe.nn.pixel_range import to_model, to_pixels

IMAGES = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
CPU = torch.device("cpu")
NUMBER = FieldSpec("number")


def seen(batches: BatchLoader, numbers: range) -> list[int]:
    return [int(p) for k in numbers for p in to_pixels(batches.batch(k).x).flatten()]


def test_every_image_comes_once_an_epoch_also_when_batches_span_two() -> None:
    order = seen(BatchLoader(IMAGES, None, size=4, seed=0, device=CPU), range(5))
    assert sorted(order[:10]) == sorted(order[10:]) == list(range(10))
    assert order[:10] != order[10:]


def test_a_batch_depends_on_its_number_alone() -> None:
    one, two = (BatchLoader(IMAGES, None, size=4, seed=0, device=CPU) for _ in range(2))
    assert seen(one, range(7, 8)) == seen(two, range(8))[28:]
    assert seen(one, range(3)) != seen(BatchLoader(IMAGES, None, size=4, seed=1, device=CPU), range(3))


def test_a_batch_larger_than_the_data() -> None:
    assert len(seen(BatchLoader(IMAGES, None, size=25, seed=0, device=CPU), range(1))) == 25


def test_labels_stay_with_their_images() -> None:
    batch = BatchLoader(IMAGES, np.arange(10) * 2, size=6, seed=0, device=CPU).batch(3)
    assert (to_pixels(batch.x).flatten().long() * 2 == batch.y).all()


def test_fields_stay_with_their_images() -> None:
    knobs = {"size": 6, "seed": 0, "device": CPU, "horizontal_flip": True}
    batches = BatchLoader(IMAGES, None, **knobs, fields={"double": StoredField(np.arange(10) * 2, NUMBER)})
    for batch in (batches.batch(3), next(batches.in_order())):
        assert (to_pixels(batch.x).flatten().long() * 2 == batch.fields["double"]).all()


def test_groups_are_shuffled_and_stay_in_a_row() -> None:
    groups = np.repeat([[3, 0], [1, 1], [0, 1], [1, 0], [2, 2]], 2, axis=0)
    one, two = (BatchLoader(IMAGES, None, size=4, seed=0, device=CPU, group_by=groups) for _ in range(2))
    order = seen(one, range(5))
    assert sorted(order[:10]) == sorted(order[10:]) == list(range(10))
    assert all(second == first + 1 and first % 2 == 0 for first, second in zip(order[::2], order[1::2], strict=True))
    assert order[:10] != order[10:]
    assert seen(two, range(3, 5)) == order[12:], "a batch depends on its number alone"


@pytest.fixture
def _too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """No images fit into memory."""
    monkeypatch.setattr(batches, "_fits", lambda *_: False)


def everything(batches: BatchLoader) -> list[tuple[list[int], ...]]:
    """Pixels, labels and an extra of some batches, the last one asked for twice, and of a pass in order."""
    taken = [batches.batch(k) for k in (0, 1, 2, 7, 3, 3)] + list(batches.in_order())
    return [(to_pixels(one.x).flatten().tolist(), one.y.tolist(), one.fields["number"].tolist()) for one in taken]


def test_images_that_do_not_fit_stay_on_disk_and_come_as_the_others_do(tmp_path, request) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (10, 1, 2, 2), dtype=np.uint8)
    np.save(tmp_path / "images.npy", pixels)
    knobs = {
        "size": 4,
        "seed": 0,
        "device": CPU,
        "horizontal_flip": True,
        "fields": {"number": StoredField(np.arange(10), NUMBER)},
    }
    expected = everything(BatchLoader(pixels, np.arange(10), **knobs))
    request.getfixturevalue("_too_large")
    streamed = BatchLoader(np.load(tmp_path / "images.npy", mmap_mode="r"), np.arange(10), **knobs)
    assert not isinstance(streamed._images, torch.Tensor)
    assert everything(streamed) == expected


@pytest.mark.usefixtures("_too_large")
def test_the_next_batches_are_read_while_one_is_used() -> None:
    batches, began = BatchLoader(IMAGES, None, size=4, seed=0, device=CPU), set()
    read = batches._read_ahead._make
    batches._read_ahead._make = lambda number: began.add(number) or read(number)
    for number, expected in ((5, {5, 6, 7}), (6, {5, 6, 7, 8})):
        batches.batch(number, ahead=2)
        wait(batches._read_ahead._begun.values())
        assert began == expected


@pytest.mark.usefixtures("_too_large")
def test_waiting_is_measured_and_what_goes_wrong_on_the_way_is_raised() -> None:
    batches = BatchLoader(IMAGES, None, size=4, seed=0, device=CPU)
    batches._read_ahead._make = lambda number: sleep(0.05) or batches._raw(batches._rows(number))
    batches.batch(0)
    assert 0.04 < batches.waited_sec < 5
    batches._read_ahead._make = lambda number: 1 / 0
    with pytest.raises(ZeroDivisionError):
        batches.batch(100)


@pytest.mark.parametrize("flip", [False, True])
def test_processes_share_every_batch(flip: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (10, 1, 1, 2), dtype=np.uint8)
    knobs = {"size": 6, "seed": 0, "device": CPU, "horizontal_flip": flip}
    whole = BatchLoader(pixels, np.arange(10), **knobs)
    shares = [BatchLoader(pixels, np.arange(10), **knobs, part=(i, 3)) for i in range(3)]
    for number in range(4):
        expected, taken = whole.batch(number), [share.batch(number) for share in shares]
        assert torch.equal(torch.cat([batch.x for batch in taken]), expected.x)
        assert torch.equal(torch.cat([batch.y for batch in taken]), expected.y)
        assert [len(batch.x) for batch in taken] == [2, 2, 2]


def test_pixels_survive_the_way_to_the_model_and_back() -> None:
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert to_model(levels).min() == -1
    assert to_model(levels).max() == 1
    assert torch.equal(to_pixels(to_model(levels)), levels)


def test_rounding_is_to_the_nearest_level_and_nothing_wraps() -> None:
    x = torch.tensor([-1.5, -1.0, 1.0, 1.5, 0.0, 2 * 100.4 / 255 - 1, 2 * 100.6 / 255 - 1]).reshape(1, 1, 1, 7)
    assert to_pixels(x).flatten().tolist() == [0, 0, 255, 255, 128, 100, 101]


def test_half_of_the_images_are_mirrored_by_seed_and_number_alone() -> None:
    pixels = np.zeros((64, 1, 1, 2), np.uint8)
    pixels[..., 1] = 255
    plain, one, two = (
        BatchLoader(pixels, None, size=64, seed=0, device=CPU, horizontal_flip=f) for f in (False, True, True)
    )
    mirrored = [one.batch(k).x[:, 0, 0, 0] == 1 for k in range(4)]
    assert 16 < mirrored[0].sum() < 48
    assert not torch.equal(mirrored[0], mirrored[1])
    assert torch.equal(two.batch(3).x[:, 0, 0, 0] == 1, mirrored[3])
    assert (plain.batch(0).x[:, 0, 0, 0] == -1).all()
    assert all((batch.x[:, 0, 0, 0] == -1).all() for batch in one.in_order())


@pytest.mark.parametrize("size", [1, 4, 5])
def test_two_kinds_of_image_alternate_and_each_comes_as_often(size: int) -> None:
    second = np.isin(np.arange(10), [2, 7, 8])
    knobs = {
        "size": size,
        "seed": 1,
        "device": torch.device("cpu"),
        "fields": {"number": StoredField(np.arange(10), NUMBER)},
    }
    batches = BatchLoader(IMAGES, None, **knobs, second=second)
    found = np.concatenate([batches.batch(k).fields["number"].numpy() for k in range(84 // size)])
    np.testing.assert_array_equal(second[found], np.arange(len(found)) % 2 == 1)
    for members, mine in (([2, 7, 8], found[1::2]), ([0, 1, 3, 4, 5, 6, 9], found[::2])):
        rounds = mine[: len(mine) // len(members) * len(members)].reshape(-1, len(members))
        assert all(sorted(one) == members for one in rounds.tolist())
        assert len({tuple(one) for one in rounds.tolist()}) > 1, "shuffled anew"


def test_the_parts_of_a_batch_of_two_kinds_make_the_whole() -> None:
    second = np.isin(np.arange(10), [2, 7, 8])
    knobs = {
        "size": 6,
        "seed": 1,
        "device": torch.device("cpu"),
        "second": second,
        "fields": {"number": StoredField(np.arange(10), NUMBER)},
    }
    whole = BatchLoader(IMAGES, None, **knobs)
    parts = [BatchLoader(IMAGES, None, **knobs, part=(k, 2)) for k in range(2)]
    for number in (0, 3, 50):
        of_parts = torch.cat([part.batch(number).fields["number"] for part in parts])
        assert torch.equal(of_parts, whole.batch(number).fields["number"])
