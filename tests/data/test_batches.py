import numpy as np
import torch

from genpipe.data import _batches
from genpipe.data._batches import Batches
from genpipe.nn.pixels import to_model, to_pixels

IMAGES = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
CPU = torch.device("cpu")


def seen(batches: Batches, numbers: range) -> list[int]:
    return [int(p) for k in numbers for p in to_pixels(batches.batch(k).x).flatten()]


def test_every_image_comes_once_an_epoch_also_when_batches_span_two() -> None:
    order = seen(Batches(IMAGES, None, size=4, seed=0, device=CPU), range(5))
    assert sorted(order[:10]) == sorted(order[10:]) == list(range(10))
    assert order[:10] != order[10:]


def test_a_batch_depends_on_its_number_alone() -> None:
    one, two = (Batches(IMAGES, None, size=4, seed=0, device=CPU) for _ in range(2))
    assert seen(one, range(7, 8)) == seen(two, range(8))[28:]
    assert seen(one, range(3)) != seen(Batches(IMAGES, None, size=4, seed=1, device=CPU), range(3))


def test_a_batch_larger_than_the_data() -> None:
    assert len(seen(Batches(IMAGES, None, size=25, seed=0, device=CPU), range(1))) == 25


def test_labels_stay_with_their_images() -> None:
    batch = Batches(IMAGES, np.arange(10) * 2, size=6, seed=0, device=CPU).batch(3)
    assert (to_pixels(batch.x).flatten().long() * 2 == batch.y).all()


def test_images_that_do_not_fit_stay_on_disk_and_come_in_the_same_order(monkeypatch) -> None:
    resident = seen(Batches(IMAGES, np.arange(10), size=4, seed=0, device=CPU), range(4))
    monkeypatch.setattr(_batches, "_fits", lambda *_: False)
    streamed = Batches(IMAGES, np.arange(10), size=4, seed=0, device=CPU)
    assert not streamed._resident
    assert seen(streamed, range(4)) == resident


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
    plain, one, two = (Batches(pixels, None, size=64, seed=0, device=CPU, flip=f) for f in (False, True, True))
    mirrored = [one.batch(k).x[:, 0, 0, 0] == 1 for k in range(4)]
    assert 16 < mirrored[0].sum() < 48
    assert not torch.equal(mirrored[0], mirrored[1])
    assert torch.equal(two.batch(3).x[:, 0, 0, 0] == 1, mirrored[3])
    assert (plain.batch(0).x[:, 0, 0, 0] == -1).all()
    assert all((batch.x[:, 0, 0, 0] == -1).all() for batch in one.in_order())
