from typing import Any

import numpy as np
import pytest

from genpipe.analyses._embedding import plane
from genpipe.analyses.feature_embedding import FeatureEmbedding
from genpipe.errors import Unsuitable


def test_the_plane_is_that_of_the_widest_directions_of_the_real_features() -> None:
    rng = np.random.default_rng(0)
    real = rng.standard_normal((2000, 5)) * [0.1, 7, 0.1, 3, 0.1]
    fake = rng.standard_normal((100, 5)) * [50, 1, 1, 1, 1]
    x, y, share = plane(real, fake, seed=0)
    assert share > 0.999
    for points, features in ((x, real), (y, fake)):
        expected = features[:, [1, 3]] - real[:, [1, 3]].mean(0)
        signs = np.sign((points * expected).sum(0))
        np.testing.assert_allclose(points * signs, expected, atol=0.2 * np.abs(features).max() / 10)


@pytest.mark.parametrize("method", ["principal_components", "tsne"])
def test_a_picture_of_at_most_so_many_images(make: Any, random_images: Any, method: str) -> None:
    context = make(random_images(80, 0), random_images(60, 1), random_images(9, 2))
    analysis = FeatureEmbedding(FeatureEmbedding.Config(method=method, images=70, perplexity=5.0))
    first, again = analysis.run(context), analysis.run(context)
    picture, caption = first.pictures["feature_embedding"]
    assert "60 training images and 70 samples" in caption
    assert ("embedding_variance_share" in first.numbers) == (method == "principal_components")
    assert (picture == again.pictures["feature_embedding"][0]).all(), "the same seed gives the same picture"


def test_too_wide_a_neighborhood_is_refused(make: Any, random_images: Any) -> None:
    context = make(random_images(10, 0), random_images(10, 1), random_images(9, 2))
    with pytest.raises(Unsuitable, match="perplexity 30 needs more than 20 images"):
        FeatureEmbedding(FeatureEmbedding.Config(method="tsne")).run(context)
