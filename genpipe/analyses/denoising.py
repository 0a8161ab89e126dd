"""Denoising: what a model makes of corrupted held-out images (Vincent et al. 2010, JMLR 11:3371)."""

import math
from typing import Annotated

import numpy as np
import torch
from jaxtyping import UInt8
from pydantic import Field

from genpipe.analyses._errors import psnr, squared_errors
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.generative import Reconstructs
from genpipe.nn.batched_inference import passed, rebuilt
from genpipe.nn.corruption import Corruption, corrupted
from genpipe.nn.image_grid import grid
from genpipe.nn.pixel_range import to_pixels

Pixels = UInt8[np.ndarray, "n c h w"]


class Denoising(Analysis):
    """How much nearer than the corrupted image its reconstruction is to the clean one, and how far from the identity.

    The distance from the identity is ‖r(x̃) − x̃‖² / ‖x − x̃‖²: 0 for a model that copies what it is given, and 1 for
    one that gives the clean image back. It grows beyond 1 where a reconstruction also loses what was clean.
    """

    class Config(Corruption):
        images: Annotated[int, Field(ge=1, le=64)] = 10

    requires = (Reconstructs,)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        clean = np.asarray(context.real.held_out.images)
        rng = torch.Generator(context.model.device).manual_seed(context.seed)
        noisy = passed(clean, lambda x: to_pixels(corrupted(x, self.config, rng)), context.model.device)
        cleaned = rebuilt(context.model, noisy)
        n = min(self.config.images, len(clean))
        rows = np.concatenate([rows[:n] for rows in (clean, noisy, cleaned, rebuilt(context.model, clean[:n]))])
        told = (
            f"From above: held-out images; with {self.config.corruption.replace('_', ' ')} noise of "
            f"{self.config.amount:g}; what the model makes of these; and what it makes of the clean ones."
        )
        return AnalysisResult({"denoising": (grid(rows, n), told)}, _figures(clean, noisy, cleaned))


def identity_distance(noisy: Pixels, cleaned: Pixels, clean: Pixels) -> float:
    """‖r(x̃) − x̃‖² / ‖x − x̃‖², each a mean over all images; there must be some noise."""
    return float(squared_errors(cleaned, noisy).mean() / squared_errors(clean, noisy).mean())


def _figures(clean: Pixels, noisy: Pixels, cleaned: Pixels) -> dict[str, float]:
    """What there is to be said of images without noise is nothing, and of perfect ones that their gain is infinite."""
    before, after = psnr(clean, noisy), psnr(clean, cleaned)
    if not math.isfinite(before):
        return {}
    found = {"denoising_input_psnr_db": before, "denoising_identity_distance": identity_distance(noisy, cleaned, clean)}
    return {**found, "denoising_gain_db": after - before} if math.isfinite(after) else found
