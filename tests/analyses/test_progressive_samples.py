"""The sizes of a model that grew, side by side."""

import numpy as np
import pytest
import torch

from genpipe.analyses.progressive_samples import ProgressiveSamples, enlarged, shrunk
from genpipe.interfaces.spec import DataSpec
from genpipe.models.progan import ProGAN
from genpipe.nn.pixel_range import to_pixels
from tests.analyses._toys import context


def test_every_size_is_drawn_by_its_own_net_from_the_same_codes() -> None:
    torch.manual_seed(0)
    model = ProGAN(ProGAN.Config(latent_dim=5, generator_channels=2, discriminator_channels=2), DataSpec(1, 16, 16))
    model.on_step_start(0.99)
    found = ProgressiveSamples(ProgressiveSamples.Config(images=3)).run(context(model.eval()))
    picture, caption = found.pictures["progressive_samples"]
    assert picture.shape == (3 * 18 + 2, 3 * 18 + 2, 1)
    assert "4, 8, 16 pixels" in caption
    z = model.prior(3, torch.Generator().manual_seed(0))
    with torch.inference_mode():
        drawn = {size: to_pixels(model.decode_at(z, size)).numpy() for size in model.sizes}
    assert (picture[2:18, 2:18, 0] == enlarged(drawn[4], 4)[0, 0]).all()
    assert (picture[20:36, 20:36, 0] == enlarged(drawn[8], 2)[1, 0]).all()
    assert (picture[38:54, 38:54, 0] == drawn[16][2, 0]).all()
    small = np.array(
        [[drawn[16][:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for j in range(8)] for i in range(8)]
    )
    assert shrunk(drawn[16], 2).mean((0, 1)) == pytest.approx(small)
    expected = np.sqrt(np.square(drawn[8] - shrunk(drawn[16], 2)).mean())
    assert found.numbers["progressive_samples_rmse_8"] == pytest.approx(expected)
    assert set(found.numbers) == {"progressive_samples_rmse_4", "progressive_samples_rmse_8"}
