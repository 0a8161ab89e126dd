from typing import Any

import numpy as np
import pytest
import torch

from genpipe.analyses.linear_baseline import LinearBaseline, projected
from genpipe.dataset.batches import BatchLoader
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.spec import DataSpec
from genpipe.models.pca import PCA
from genpipe.nn.pixel_range import to_model, to_pixels


def fitted(images: np.ndarray, length: int) -> PCA:
    model = PCA(PCA.Config(latent_dim=length), DataSpec(1, 8, 8))
    model.on_train_end(BatchLoader(images, None, size=50, seed=0, device=torch.device("cpu")).in_order())
    return model


@pytest.mark.parametrize("n", [40, 300])
def test_it_is_the_model_of_principal_components(random_images: Any, n: int) -> None:
    training, held_out = random_images(n, 0), random_images(30, 1)
    with torch.inference_mode():
        theirs = to_pixels(fitted(training, 7).reconstruct(to_model(torch.from_numpy(held_out)))).numpy()
    ours = projected(training, held_out, 7)
    assert np.abs(ours.astype(int) - theirs).max() <= 1, "but for rounding"


def test_principal_components_are_as_good_as_themselves(make: Any, random_images: Any) -> None:
    made = make(*(random_images(n, n) for n in (5, 200, 100)))
    context = AnalysisContext(fitted(made.real.training.images, 9), made.samples, made.real, 0)
    found = LinearBaseline(LinearBaseline.Config(images=4)).run(context)
    assert found.numbers["linear_baseline_error_ratio"] == pytest.approx(1, abs=1e-3)
    assert found.pictures["linear_baseline"][0].shape == (3 * 10 + 2, 4 * 10 + 2, 1)


def test_codes_as_long_as_an_image_are_refused(random_images: Any) -> None:
    with pytest.raises(Unsuitable, match="Lower latent_dim"):
        projected(random_images(100, 0), random_images(5, 1), 64)
