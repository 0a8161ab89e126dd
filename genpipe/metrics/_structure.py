"""Structural similarity of pairs of images (Wang et al. 2004, doi:10.1109/TIP.2003.819861), at one scale or several."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import avg_pool2d

from genpipe.errors import Unsuitable

WINDOW_PIXELS = 11
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the finest scale first: β₁ to β₅ (Wang et al. 2003, doi:10.1109/ACSSC.2003.1292216)."""
_SIGMA_PIXELS = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_BLOCK_VALUES = 2**20
"""Of images at a time, which bounds the memory."""

Stack = UInt8[np.ndarray, "n c h w"]
Terms = tuple[Float[Tensor, "b c"], Float[Tensor, "b c"]]


def ssim(a: Stack, b: Stack) -> Float[np.ndarray, "n"]:
    """The structural similarity of each pair, at most 1: the mean over channels and over all whole windows.

    Windows are Gaussians of 11×11 pixels with σ = 1.5, the range of values is 255, covariances divide by their weight,
    all in float64. Raises Unsuitable if no window fits.
    """
    scales(*a.shape[2:])
    return _blockwise(lambda x, y: _terms(x, y)[0].mean(1), a, b)


def ms_ssim(a: Stack, b: Stack) -> Float[np.ndarray, "n"]:
    """The multi-scale structural similarity of each pair: Π cs_j^β_j over the scales, with SSIM as the last factor.

    The product is made for each channel, and the result is its mean over channels. At each scale cs is the mean of
    contrast times structure; below 0 it counts as 0, for it has no such power. Images are halved between scales by the
    mean of 2×2 pixels. Where fewer than five scales fit, the weights of those that do are scaled up to the sum of the
    five. Raises Unsuitable if no window fits.
    """
    weights = np.array(SCALE_WEIGHTS[: scales(*a.shape[2:])])
    weights *= sum(SCALE_WEIGHTS) / weights.sum()
    return _blockwise(lambda x, y: _product(x, y, weights), a, b)


def scales(height: int, width: int) -> int:
    """On how many scales, five at most, a window fits into images of this size. Raises Unsuitable if on none."""
    fitting = [j for j in range(len(SCALE_WEIGHTS)) if min(height, width) >> j >= WINDOW_PIXELS]
    if not fitting:
        raise Unsuitable(
            f"structural similarity looks through windows of {WINDOW_PIXELS}×{WINDOW_PIXELS} pixels, and these images "
            f"have {height}×{width}. Leave ssim and ms_ssim out of evaluate.metrics, or prepare larger images."
        )
    return len(fitting)


def _blockwise(similarity: Callable[[Tensor, Tensor], Tensor], a: Stack, b: Stack) -> Float[np.ndarray, "n"]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    size = max(1, _BLOCK_VALUES // int(np.prod(a.shape[1:])))
    found = [np.empty(0)]
    for start in range(0, len(a), size):
        block = (torch.from_numpy(np.array(part[start : start + size])).to(device).double() for part in (a, b))
        found.append(similarity(*block).cpu().numpy())
    return np.concatenate(found)


def _product(x: Tensor, y: Tensor, weights: np.ndarray) -> Float[Tensor, "b"]:
    product = torch.ones(x.shape[:2], dtype=x.dtype, device=x.device)
    for j, weight in enumerate(weights):
        whole, contrast = _terms(x, y)
        product *= (whole if j == len(weights) - 1 else contrast).clamp(min=0) ** float(weight)
        x, y = avg_pool2d(x, 2), avg_pool2d(y, 2)
    return product.mean(1)


def _terms(x: Float[Tensor, "b c h w"], y: Float[Tensor, "b c h w"]) -> Terms:
    """Of each pair and channel the means of l · cs (SSIM, eq. 13 of 2004) and of cs over windows."""
    rows, columns = _window(x.shape[2]).to(x.device), _window(x.shape[3]).T.to(x.device)
    mx, my, xx, yy, xy = (rows @ (v @ columns) for v in (x, y, x * x, y * y, x * y))
    contrast = (2 * (xy - mx * my) + _C2) / (xx - mx**2 + yy - my**2 + _C2)
    luminance = (2 * mx * my + _C1) / (mx**2 + my**2 + _C1)
    return (luminance * contrast).mean((2, 3)), contrast.mean((2, 3))


def _window(n: int) -> Float[Tensor, "m {n}"]:
    """The matrix that takes n values to their means under each whole window; it beats a convolution in speed."""
    first = torch.arange(n - WINDOW_PIXELS + 1, dtype=torch.float64)[:, None]
    offset = torch.arange(n, dtype=torch.float64) - first - WINDOW_PIXELS // 2
    weights = torch.exp(-(offset**2) / (2 * _SIGMA_PIXELS**2)) * (offset.abs() <= WINDOW_PIXELS // 2)
    return weights / weights.sum(1, keepdim=True)
