"""Features of patches and their means (Coates & Ng 2012, "Learning feature representations with k-means")."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, unfold

from genpipe.nn.batched_inference import Pixels, passed
from genpipe.nn.pixel_range import to_model

_CONTRAST = 10 / 127.5**2
"""Added to the variance of a patch, so that flat ones stay flat; 10 with values from 0 to 255, as in section 3.1."""
_WHITENING = 0.1
"""Added to each variance before patches are whitened: section 3.2."""
_LEARNED_FROM = 50_000
"""Patches."""


@dataclass(frozen=True)
class Dictionary:
    """Means of whitened patches, and what whitens."""

    side: int
    mean: Float[Tensor, " p"]
    whitening: Float[Tensor, "p p"]
    means: Float[Tensor, "k p"]

    def features(self, images: Pixels, device: torch.device) -> Float[np.ndarray, "n d"]:
        """How near the patches of each quarter of an image are to each mean, compared with the others: section 5."""
        return passed(images, self._quarters, device)

    def _quarters(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        places = x.shape[2] - self.side + 1, x.shape[3] - self.side + 1
        return torch.cat([self._quartered(part, places) for part in x.split(max(1, 20_000 // (places[0] * places[1])))])

    def _quartered(self, x: Float[Tensor, "b c h w"], places: tuple[int, int]) -> Float[Tensor, "b d"]:
        patches = (contrasted(unfold(x, self.side).transpose(1, 2)) - self.mean) @ self.whitening
        far = torch.cdist(patches, self.means)
        near = (far.mean(2, keepdim=True) - far).clamp(min=0)
        return adaptive_avg_pool2d(near.transpose(1, 2).unflatten(2, places), 2).flatten(1)


def dictionary(images: Pixels, side: int, count: int, seed: int, device: torch.device) -> Dictionary:
    """So many means of square patches of images, the same on any number of threads."""
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    patches = contrasted(_drawn(images, side, seed)).double().numpy()
    with threadpool_limits(1):  # sums in one order, for k-means goes another way at the last digit
        mean = patches.mean(0)
        values, vectors = np.linalg.eigh(np.cov(patches.T))
        whitening = vectors / np.sqrt(values + _WHITENING) @ vectors.T
        means = MiniBatchKMeans(count, random_state=seed, n_init=1).fit((patches - mean) @ whitening).cluster_centers_
    parts = (torch.from_numpy(part).to(device, torch.float32) for part in (mean, whitening, means))
    return Dictionary(side, *parts)


def contrasted(patches: Float[Tensor, "*n p"]) -> Float[Tensor, "*n p"]:
    """Patches of mean 0 and, where there is contrast, of deviation 1."""
    centered = patches - patches.mean(-1, keepdim=True)
    return centered / (patches.var(-1, keepdim=True) + _CONTRAST).sqrt()


def _drawn(images: Pixels, side: int, seed: int) -> Float[Tensor, "m p"]:
    """Patches from anywhere."""
    rng = np.random.default_rng(seed)
    windows = np.lib.stride_tricks.sliding_window_view(images, (side, side), axis=(2, 3))
    image, row, column = (rng.integers(windows.shape[axis], size=_LEARNED_FROM) for axis in (0, 2, 3))
    return to_model(torch.from_numpy(windows[image, :, row, column])).flatten(1)
