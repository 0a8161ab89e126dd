"""Inpainting: how near to the truth the holes of held-out images are filled."""

from typing import Annotated

import numpy as np
from jaxtyping import Bool, UInt8
from pydantic import Field

from genpipe.analyses._conditions import pictures
from genpipe.analyses._errors import psnr
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.translation import IMAGE, Inpaints
from genpipe.nn.image_grid import grid
from genpipe.schema import Strict

Pixels = UInt8[np.ndarray, "n c h w"]
Holes = Bool[np.ndarray, "n 1 h w"]


class Inpainting(Analysis):
    """PSNR of the pixels in holes alone: `psnr` of whole images is higher, the smaller the hole.

    Beside it that of a plain fill, the mean color of what is known of the image.
    """

    class Config(Strict):
        images: Annotated[int, Field(ge=1, le=64)] = 10
        """Rows of the picture."""

    requires = (Inpaints,)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        model = context.model
        assert isinstance(model, Inpaints)
        rows = context.conditions(len(context.samples.images))
        truth, masks = (np.asarray(context.held_out_field(name)[rows]) for name in (IMAGE, model.mask))
        holes, spec = masks > 0, model.init_args[1]
        plain, filled = in_mean_color(truth, holes), context.draw_for(rows)
        shown = [pictures({IMAGE: truth, model.mask: masks}, spec), plain, filled, truth]
        picture = grid(np.stack([one[: self.config.images] for one in shown], 1).reshape(-1, *truth.shape[1:]), 4)
        told = (
            "From the left: held-out images with holes, filled with the mean color, by the model, and the true images."
        )
        figures = {"hole_psnr_db": filled, "hole_psnr_mean_color_db": plain}
        return AnalysisResult(
            {"inpainting": (picture, told)}, {name: hole_psnr(one, truth, holes) for name, one in figures.items()}
        )


def hole_psnr(images: Pixels, truth: Pixels, holes: Holes) -> float:
    """The PSNR of all values in holes, in decibels; infinite without any error."""
    inside = np.broadcast_to(holes, truth.shape)
    return psnr(images[inside], truth[inside])


def in_mean_color(images: Pixels, holes: Holes) -> Pixels:
    """Images whose holes have the mean color of their known pixels."""
    known = np.broadcast_to(~holes, images.shape)
    color = images.mean((2, 3), where=known, keepdims=True)
    return np.where(holes, np.rint(color), images).astype(np.uint8)
