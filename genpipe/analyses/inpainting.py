"""Inpainting: how near to the truth the holes of held-out images are filled."""

import numpy as np
from jaxtyping import Bool, UInt8

from genpipe.analyses._errors import psnr
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.translation import IMAGE, Inpaints
from genpipe.schema import Strict

Pixels = UInt8[np.ndarray, "n c h w"]
Holes = Bool[np.ndarray, "n 1 h w"]


class Inpainting(Analysis):
    """PSNR of the pixels in holes alone: `psnr` of whole images is higher, the smaller the hole.

    Beside it that of a plain fill, the mean color of what is known of the image.
    """

    class Config(Strict): ...

    requires = (Inpaints,)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        model = context.model
        assert isinstance(model, Inpaints)
        rows = context.conditions(len(context.samples.images))
        truth, masks = (np.asarray(context.held_out_field(name)[rows]) for name in (IMAGE, model.mask))
        holes = masks > 0
        found = {"hole_psnr_db": context.draw_for(rows), "hole_psnr_mean_color_db": in_mean_color(truth, holes)}
        return AnalysisResult(numbers={name: hole_psnr(images, truth, holes) for name, images in found.items()})


def hole_psnr(images: Pixels, truth: Pixels, holes: Holes) -> float:
    """The PSNR of all values in holes, in decibels; infinite without any error."""
    inside = np.broadcast_to(holes, truth.shape)
    return psnr(images[inside], truth[inside])


def in_mean_color(images: Pixels, holes: Holes) -> Pixels:
    """Images whose holes have the mean color of their known pixels."""
    known = np.broadcast_to(~holes, images.shape)
    color = images.mean((2, 3), where=known, keepdims=True)
    return np.where(holes, np.rint(color), images).astype(np.uint8)
