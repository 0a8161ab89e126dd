import pytest
import torch

from genpipe.nn.views import Augmentation, augmented

NONE = dict.fromkeys(Augmentation.model_fields, 0.0)


def squares() -> torch.Tensor:
    """A colored square in the middle of black."""
    x = torch.full((64, 3, 32, 32), -1.0)
    x[:, :, 12:20, 12:20] = torch.tensor([0.2, 0.0, -0.5])[:, None, None]
    return x


def changed(**knobs: float) -> torch.Tensor:
    return augmented(squares(), Augmentation(**{**NONE, **knobs}), torch.Generator().manual_seed(0))


def test_nothing_asked_for_changes_nothing() -> None:
    torch.testing.assert_close(changed(), squares())


def test_the_generator_decides() -> None:
    first, again = (augmented(squares(), Augmentation(), torch.Generator().manual_seed(0)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, augmented(squares(), Augmentation(), torch.Generator().manual_seed(1)))
    assert first.min() >= -1
    assert first.max() <= 1


def test_the_background_changes_and_the_object_does_not() -> None:
    x, inside = changed(background=0.8), (slice(None), slice(None), slice(12, 20), slice(12, 20))
    torch.testing.assert_close(x[inside], squares()[inside])
    assert (x[:, :, 0, 0] + 1).abs().mean() > 0.3
    assert x[:, :, 0, 0].max() <= 2 * 0.8 - 1 + 1e-6, "its contrast is bounded"


def test_light_changes_the_object_by_a_common_factor_and_nothing_else() -> None:
    x = changed(light=0.4)
    factors = (x[:, :, 15, 15] + 1) / (squares()[:, :, 15, 15] + 1)
    torch.testing.assert_close(factors, factors[:, :1].expand(-1, 3))
    assert 0.6 <= factors.min() < 0.7 < 1.3 < factors.max() <= 1.4
    assert (x[:, :, 0, 0] == -1).all()


def test_a_shift_is_bounded_and_a_scale_keeps_the_middle() -> None:
    rows = torch.arange(32.0)
    mass = (changed(shift=0.25) + 1).sum(1)
    middle = (mass.sum(2) * rows).sum(1) / mass.sum((1, 2))
    assert 15.5 - 8.1 < middle.min() < 10 < 21 < middle.max() < 15.5 + 8.1
    mass = (changed(scale=0.5) + 1).sum(1)
    torch.testing.assert_close(
        (mass.sum(2) * rows).sum(1) / mass.sum((1, 2)), torch.full((64,), 15.5), atol=0.1, rtol=0
    )
    size = (mass.sum((1, 2)) / (squares()[:1] + 1).sum()).sqrt()
    assert 0.45 < size.min() < 0.65 < 1.35 < size.max() < 1.55


def test_what_hides_the_object_is_a_small_rectangle_of_one_color() -> None:
    x = changed(occlusion=0.5)
    different = ((x - squares()).abs() > 1e-4).any(1)
    assert 0.4 < different.any((1, 2)).float().mean() <= 1
    assert different.any(1).sum(1).max() <= 16 + 1
    assert different.any(2).sum(1).max() <= 16 + 1
    for image, where in zip(x, different, strict=True):
        hidden = image[:, where]
        assert (hidden == hidden[:, :1]).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_the_plain_color_is_that_of_the_first_pixel(channels: int) -> None:
    x = torch.full((8, channels, 16, 16), 0.9)
    x[:, :, 6:10, 6:10] = -0.5
    seen = augmented(x, Augmentation(**{**NONE, "shift": 0.2}), torch.Generator().manual_seed(0))
    torch.testing.assert_close(seen[:, :, 0], x[:, :, 0])
    assert seen.min() < -0.4
