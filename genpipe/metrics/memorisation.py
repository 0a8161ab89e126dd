"""Memorisation: how often a sample lies closer to a training image than unseen real images do."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from jaxtyping import Float
from pydantic import Field

from genpipe.interfaces import Evidence, Metric, Real, Score
from genpipe.nn.neighbours import flat, nearest
from genpipe.schema import Strict


class Memorisation(Metric):
    """The share of images nearer to a training image, in pixels, than all but a few of the unseen real images are."""

    class Config(Strict):
        closest_share: Annotated[float, Field(gt=0, lt=1)] = 0.05
        """"Near" is what this share of the unseen real images is."""

    title = "Memorisation"
    meaning = (
        "The share of images that lie nearer to a training image, in pixels, than 95 % of held-out real images do; 5 % "
        "is what held-out images give by definition, and copies give 100 %. Smooth and blurred images are near to many "
        "others, so look at the nearest neighbours before calling a high share copying."
    )
    lower_is_better = None
    looks_at = "pixels"
    needs_held_out = True

    def scores(self, images: Evidence, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        training = flat(real.training.images)
        unseen = nearest(flat(real.held_out.images), training)[0][:, 0]
        found = nearest(flat(images.images), training)[0][:, 0]
        share = share_nearer(found, unseen, self.config.closest_share)
        return {"memorisation_pixels": Score(share, {"closest_share": self.config.closest_share})}


def share_nearer(found: Float[np.ndarray, "n"], unseen: Float[np.ndarray, "m"], closest_share: float) -> float:
    """The share of distances at or below the given quantile of the unseen images' distances."""
    return float(np.mean(found <= np.quantile(unseen, closest_share)))
