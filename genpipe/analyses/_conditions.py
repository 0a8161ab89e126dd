"""Conditions of held-out items as pictures."""

import numpy as np
import torch
from jaxtyping import UInt8
from matplotlib import colormaps
from torch.nn.functional import interpolate

from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.interfaces.translation import IMAGE

Pixels = UInt8[np.ndarray, "n c h w"]
_HOLE = 128
"""The gray level of what is hidden."""


def pictures(condition: dict[str, np.ndarray], spec: DataSpec) -> Pixels:
    """Returns what a condition, stored fields by name, looks like, in the size of images; holes are gray."""
    fields = {name: _picture(rows, spec.fields[name]) for name, rows in condition.items() if name != IMAGE}
    if IMAGE not in condition:
        return _sized(next(iter(fields.values())), spec)
    x = condition[IMAGE]
    masks = [rows for name, rows in condition.items() if name != IMAGE and spec.fields[name].kind == "mask"]
    return np.where(masks[0] > 0, np.uint8(_HOLE), x) if masks else x


def in_color(images: Pixels) -> UInt8[np.ndarray, "n _ h w"]:
    """Returns images with three channels."""
    return np.repeat(images, 3, axis=1) if images.shape[1] == 1 else images


def _picture(rows: np.ndarray, spec: FieldSpec) -> Pixels:
    if spec.kind == "image":
        return rows
    if spec.kind == "mask":
        return (rows * 255).astype(np.uint8)
    colors = (colormaps["tab20"](np.arange(spec.size) % 20)[:, :3] * 255).astype(np.uint8)
    return colors[rows].transpose(0, 3, 1, 2)


def _sized(images: Pixels, spec: DataSpec) -> UInt8[np.ndarray, "n c _ _"]:
    """Small pictures with every pixel as a square."""
    if images.shape[2:] == spec.shape[1:]:
        return images
    return interpolate(torch.from_numpy(np.array(images)), spec.shape[1:], mode="nearest").numpy()
