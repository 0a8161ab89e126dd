"""Colors as lightness and two opponent axes: sRGB (IEC 61966-2-1) to CIE 1976 L*a*b* with the white D65, and back."""

import torch
from jaxtyping import Float
from torch import Tensor

from genpipe.interfaces.tensors import Images

Lab = Float[Tensor, "b 3 h w"]
"""L from 0 to 100, a from −86 to 98 (green to magenta), b from −108 to 94 (blue to yellow)."""
_TO_XYZ = torch.tensor([
    [0.412453, 0.357580, 0.180423],
    [0.212671, 0.715160, 0.072169],
    [0.019334, 0.119193, 0.950227],
], dtype=torch.float64)  # fmt: skip
"""Linear sRGB to XYZ, where white has Y = 1."""
_WHITE = _TO_XYZ.sum(1)
_KNEE = 6 / 29
"""Where the cube root of L*a*b* becomes a line."""


def rgb_to_lab(x: Images) -> Lab:
    """Returns the colors of images [b 3 h w] in [-1, 1] as L*a*b*."""
    srgb = (x.double() + 1) / 2
    linear = torch.where(srgb > 0.04045, ((srgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4, srgb / 12.92)
    t = _mixed(_TO_XYZ, linear) / _WHITE.to(x.device)[:, None, None]
    f = torch.where(t > _KNEE**3, t.clamp(min=_KNEE**3) ** (1 / 3), t / (3 * _KNEE**2) + 4 / 29)
    fx, fy, fz = f.unbind(1)
    return torch.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], 1).to(x.dtype)


def lab_to_rgb(lab: Lab) -> Images:
    """Returns images in [-1, 1]; colors that sRGB cannot show are cut off at its border."""
    lightness, a, b = lab.double().unbind(1)
    fy = (lightness + 16) / 116
    f = torch.stack([fy + a / 500, fy, fy - b / 200], 1)
    t = torch.where(f > _KNEE, f**3, 3 * _KNEE**2 * (f - 4 / 29))
    linear = _mixed(_TO_XYZ.inverse(), t * _WHITE.to(lab.device)[:, None, None])
    curved = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return (2 * torch.where(linear > 0.0031308, curved, 12.92 * linear) - 1).clamp(-1, 1).to(lab.dtype)


def _mixed(matrix: Float[Tensor, "3 3"], x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    return torch.einsum("ij,bjhw->bihw", matrix.to(x.device), x)
