"""Linear baseline: reconstructions beside those of principal components, with as many numbers in a code."""

from typing import Annotated

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from genpipe.analyses._errors import squared_errors
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import DatasetInfo
from genpipe.interfaces.generative import Encodes, Reconstructs
from genpipe.nn.batched_inference import rebuilt
from genpipe.nn.image_grid import grid
from genpipe.nn.latent_space import encoded
from genpipe.schema import Strict

Pixels = UInt8[np.ndarray, "n c h w"]


class LinearBaseline(Analysis):
    """Squared errors on held-out images, of the model and of the best linear code that the training images allow.

    No linear code of a length has a smaller error on the training images than their principal components (Eckart &
    Young 1936), so what is below that is owed to the bends of the code (Hinton & Salakhutdinov 2006).
    """

    class Config(Strict):
        images: Annotated[int, Field(ge=1, le=64)] = 10

    requires = (Encodes, Reconstructs)

    def unmet_requirement(self, info: DatasetInfo) -> str | None:
        numbers, there = info.code_numbers, info.images.training
        if numbers is None or there is None or numbers < there:
            return None
        return f"it needs more than {numbers} training images, and there are {there}; lower latent_dim, or remove it."

    def run(self, context: AnalysisContext) -> AnalysisResult:
        training, held_out = (np.asarray(e.images) for e in (context.real.training, context.real.held_out))
        length = encoded(context.model, held_out[:1]).shape[1]
        images = [held_out, rebuilt(context.model, held_out), projected(training, held_out, length)]
        own, linear = (float(squared_errors(approximations, held_out).mean()) for approximations in images[1:])
        n = min(self.config.images, len(held_out))
        told = (
            f"Held-out images above, then their reconstructions (squared error {own:.4g}), and those of {length} "
            f"principal components of the training images ({linear:.4g})."
        )
        picture = grid(np.concatenate([some[:n] for some in images]), n)
        numbers = {"linear_baseline_squared_error": linear, "linear_baseline_error_ratio": own / linear}
        return AnalysisResult({"linear_baseline": (picture, told)}, numbers)


def projected(training: UInt8[np.ndarray, "m c h w"], images: Pixels, length: int) -> Pixels:
    """Images projected on the first principal components of others, in float64, and rounded. Raises Unsuitable."""
    from sklearn.decomposition import PCA

    x, y = (part.reshape(len(part), -1).astype(np.float64) for part in (training, images))
    if length >= min(x.shape):
        raise Unsuitable(
            f"linear_baseline compares codes shorter than the images and fewer than they are, but {length} numbers are "
            f"in a code, {x.shape[1]} in an image, and there are {len(x)} images. Lower latent_dim, or take it out."
        )
    fit = PCA(length, svd_solver="covariance_eigh" if len(x) > x.shape[1] else "full").fit(x)
    approximations = fit.inverse_transform(fit.transform(y))
    return np.clip(np.rint(approximations), 0, 255).astype(np.uint8).reshape(images.shape)
