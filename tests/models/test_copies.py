import numpy as np
import torch

from genpipe.dataset.batches import BatchLoader
from genpipe.interfaces.spec import DataSpec
from genpipe.models.copies import Copies
from genpipe.nn.pixel_range import to_pixels


def fitted(training: np.ndarray, most: int) -> Copies:
    model = Copies(Copies.Config(images=most), DataSpec(1, 4, 4))
    model.on_train_end(BatchLoader(training, None, size=16, seed=0, device=torch.device("cpu")).in_order())
    return model


def numbered(n: int) -> np.ndarray:
    """Image k is all k."""
    return np.arange(n, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 4, 4), np.uint8)


def test_every_sample_is_a_training_image_and_all_come_equally_often() -> None:
    model = fitted(numbered(20), most=50)
    drawn = to_pixels(model.sample(4000, torch.Generator().manual_seed(0))).numpy()
    assert (drawn == drawn[:, :, :1, :1]).all()
    counts = np.bincount(drawn[:, 0, 0, 0], minlength=20)
    assert len(counts) == 20
    assert (abs(counts - 200) < 5 * np.sqrt(200)).all()


def test_of_more_images_than_are_kept_each_is_kept_with_the_same_chance() -> None:
    model = fitted(numbered(200), most=50)
    kept = model.kept[:, 0, 0, 0].numpy().astype(int)
    assert model.count == 50
    assert len(set(kept)) == 50
    assert abs(kept.mean() - 99.5) < 3 * 57.7 / np.sqrt(50), "not the first, and not the last"


def test_exactly_as_many_images_as_are_kept() -> None:
    np.testing.assert_array_equal(fitted(numbered(50), most=50).kept, numbered(50))
