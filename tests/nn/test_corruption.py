import pytest
import torch
from pydantic import ValidationError
from scipy import stats

from genpipe.nn.corruption import Corruption, corrupted, gaussian, masking, salt_and_pepper

SHARES = [0.0, 0.1, 0.3, 0.75, 1.0]
GRAY = torch.full((40, 1, 20, 25), 0.25)
LIKELY = 1 - 1e-6
"""A correct rate fails with the rest of this probability."""


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def between_binomial_bounds(hits: int, trials: int, share: float) -> bool:
    low, high = stats.binom.interval(LIKELY, trials, share)
    return bool(low <= hits <= high) if 0 < share < 1 else hits == trials * share


@pytest.mark.parametrize("share", SHARES)
def test_masking_blackens_that_share_and_leaves_the_rest(share: float) -> None:
    x = masking(GRAY, share, rng())
    assert between_binomial_bounds(int((x == -1).sum()), x.numel(), share)
    assert set(x.unique().tolist()) <= {-1.0, 0.25}


@pytest.mark.parametrize("share", SHARES)
def test_salt_is_as_likely_as_pepper(share: float) -> None:
    x = salt_and_pepper(GRAY, share, rng())
    assert between_binomial_bounds(int((x == -1).sum()), x.numel(), share / 2)
    assert between_binomial_bounds(int((x == 1).sum()), x.numel(), share / 2)
    assert set(x.unique().tolist()) <= {-1.0, 0.25, 1.0}


@pytest.mark.parametrize("kind", ["masking", "salt_and_pepper"])
def test_pixels_are_struck_in_all_channels_at_once_and_values_one_by_one(kind: str) -> None:
    config = Corruption(corruption=kind, amount=0.5)  # type: ignore[arg-type]
    image = corrupted(torch.zeros(10, 3, 8, 8), config, rng())
    assert (image == image[:, :1]).all()
    rows = corrupted(torch.full((1000, 8), 0.5), config, rng(), low=0.0)
    assert set(rows.unique().tolist()) <= {0.0, 0.5, 1.0}
    assert not (rows == rows[:, :1]).all()
    if kind == "masking":
        assert between_binomial_bounds(int((rows == 0).sum()), rows.numel(), 0.5)


def test_gaussian_noise_has_its_deviation_on_the_scale_of_the_values() -> None:
    noise = gaussian(GRAY, 0.4, rng()) - GRAY
    unit = gaussian(GRAY, 0.4, rng(), low=0.0) - GRAY
    assert stats.kstest(noise.flatten().numpy(), "norm", (0, 0.4)).pvalue > 1e-3
    torch.testing.assert_close(unit, noise / 2)


@pytest.mark.parametrize("kind", ["masking", "gaussian", "salt_and_pepper"])
def test_the_generator_decides_and_the_input_stays(kind: str) -> None:
    config = Corruption(corruption=kind, amount=0.5)  # type: ignore[arg-type]
    first, again = corrupted(GRAY, config, rng()), corrupted(GRAY, config, rng())
    assert torch.equal(first, again)
    assert not torch.equal(first, corrupted(GRAY, config, torch.Generator().manual_seed(1)))
    assert not torch.equal(first[0], first[1]), "each image has noise of its own"
    assert (GRAY == 0.25).all()
    torch.manual_seed(5)
    loose = corrupted(GRAY, config)
    torch.manual_seed(5)
    assert torch.equal(loose, corrupted(GRAY, config))
    nothing = Corruption(corruption=kind, amount=0.0)  # type: ignore[arg-type]
    assert torch.equal(corrupted(GRAY, nothing, rng()), GRAY)


@pytest.mark.parametrize("amount", [-0.1, 1.1])
def test_an_amount_is_a_share(amount: float) -> None:
    with pytest.raises(ValidationError, match="amount"):
        Corruption(amount=amount)
