"""Structural similarity of pairs of images, SSIM (Wang et al. 2004, doi:10.1109/TIP.2003.819861) and MS-SSIM."""

from collections.abc import Mapping

from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.metrics import Metric, Score
from genpipe.metrics._pairs import matched, mean_score, pixels_compared
from genpipe.metrics._structure import ms_ssim, scales, ssim
from genpipe.schema import Strict


class SSIM(Metric):
    """Mean SSIM over pairs, at the scale of the pixels and as the product over several scales."""

    class Config(Strict): ...

    title = "Structural similarity (SSIM)"
    meaning = (
        "How well local brightness, contrast and structure agree: 1 for the same image, around 0 for unrelated ones. "
        "It forgives changes of light more than PSNR does, but like it knows nothing of what an image shows."
    )
    lower_is_better = False
    input = "pixel pairs"
    real_split = "test"
    least_pixels = 11

    def scores(self, images: FeatureSet, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        given, truth = matched(images.images, real.held_out.images)
        how = pixels_compared(truth)
        return {
            "ssim_pixels": mean_score(ssim(given, truth), **how),
            "ms_ssim_pixels": mean_score(ms_ssim(given, truth), scales=scales(*given.shape[2:]), **how),
        }
