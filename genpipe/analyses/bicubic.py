"""Bicubic enlargement: what super-resolution without any learning makes of the same small images."""

from typing import Annotated

import numpy as np
import torch
from jaxtyping import UInt8
from pydantic import Field

from genpipe.analyses._conditions import pictures
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.translation import IMAGE, Translates
from genpipe.nn.batched_inference import passed
from genpipe.nn.image_grid import grid
from genpipe.nn.pixel_range import to_pixels
from genpipe.nn.resampling import bicubic
from genpipe.schema import Strict

Pixels = UInt8[np.ndarray, "n c h w"]


class Bicubic(Analysis):
    """The scores of bicubic enlargements, made and scored as the model's; and both beside the truth."""

    class Config(Strict):
        metrics: Annotated[list[str], Field(min_length=1)] = ["psnr", "ssim", "fid"]
        images: Annotated[int, Field(ge=1, le=64)] = 8
        """Rows of the picture."""
        zoom: Annotated[int, Field(ge=1, le=16)] = 4
        """Pixels of the picture for each pixel of an image, a side."""

    requires = (Translates,)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.metrics = tuple(config.metrics)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        model, rows = context.model, context.conditions(len(context.samples.images))
        assert isinstance(model, Translates)
        spec = model.init_args[1]
        small = np.asarray(context.held_out_field(model.source)[rows])
        large = enlarged(small, model.source, spec)
        scores = context.scorer(context.extract(large), self.metrics)
        truth, first = np.asarray(context.held_out_field(IMAGE)[rows]), slice(self.config.images)
        shown = [pictures({model.source: small[first]}, spec), large[first], context.samples.images[first]]
        rows_of = np.stack([*shown, truth[first]], 1).reshape(-1, *spec.shape)
        picture = grid(rows_of.repeat(self.config.zoom, 2).repeat(self.config.zoom, 3), 4)
        told = "From the left: held-out small images, enlarged bicubically, by the model, and the true images."
        return AnalysisResult({"bicubic": (picture, told)}, {f"bicubic_{k}": v for k, v in scores.items()})


def enlarged(small: Pixels, source: str, spec: DataSpec) -> UInt8[np.ndarray, "n c _ _"]:
    """Small images in the size of images. Raises Unsuitable if the field does not hold small images."""
    field = spec.fields[source]
    if field.kind != "image" or field.shape[0] != spec.channels:
        raise Unsuitable(
            f"the analysis bicubic enlarges small images, and the field '{source}' holds none of {spec.channels} "
            "channels. Remove it from `analyses`, or give the model `source: low_resolution`."
        )
    size = (spec.height, spec.width)
    return passed(small, lambda x: to_pixels(bicubic(x, size)), torch.device("cpu"))
