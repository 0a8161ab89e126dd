"""Orientation: read off the nearest code in a codebook of views (Sundermeyer et al. 2018, arXiv:1902.01275)."""

from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field

from genpipe.analyses._factors import missing
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import DatasetInfo
from genpipe.interfaces.extractors import FeatureSet
from genpipe.interfaces.generative import Encodes
from genpipe.nn.batched_inference import passed
from genpipe.nn.image_grid import grid
from genpipe.nn.latent_space import encoded
from genpipe.nn.pixel_range import to_pixels
from genpipe.nn.views import Augmentation, augmented

Quaternions = Float[np.ndarray, "n 4"]
FACTORS = ("qw", "qx", "qy", "qz")
"""What a source calls the parts of the unit quaternion by which the object of an image is turned."""


class Orientation(Analysis):
    """The angle in degrees between the orientation of an augmented held-out view and that of the view found for it.

    The codebook holds the codes of the training views as they are, and the nearest by cosine, among those of the same
    class, is taken. Beside its median stand that of clean held-out views, and the least that any codebook of these
    views allows.
    """

    class Config(Augmentation):
        images: Annotated[int, Field(ge=1, le=64)] = 10

    requires = (Encodes,)

    def unmet_requirement(self, info: DatasetInfo) -> str | None:
        return missing(info.spec.factors, FACTORS)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        training, held_out = context.real.training, context.real.held_out
        known, true = quaternions(training), quaternions(held_out)
        same = _same_class(held_out, training)
        rng = torch.Generator(context.model.device).manual_seed(context.seed)
        clean = np.asarray(held_out.images)
        seen = passed(clean, lambda x: to_pixels(augmented(x, self.config, rng)), context.model.device)
        book = encoded(context.model, np.asarray(training.images))
        found, found_clean = (nearest_by_cosine(encoded(context.model, views), book, same) for views in (seen, clean))
        numbers = {
            "orientation_error_degrees": float(np.median(angles(true, known[found]))),
            "orientation_error_clean_degrees": float(np.median(angles(true, known[found_clean]))),
            "orientation_least_error_degrees": float(np.median(angles(true, known[_closest(true, known, same)]))),
        }
        n = min(self.config.images, len(clean))
        picture = grid(np.concatenate([seen[:n], np.asarray(training.images)[found[:n]], clean[:n]]), n)
        told = "Augmented held-out views; below each the view of the codebook that was found, and the clean view."
        return AnalysisResult({"orientation": (picture, told)}, numbers)


def quaternions(views: FeatureSet) -> Quaternions:
    """How the object of each view is turned. Raises Unsuitable if the source does not know."""
    if missing := [name for name in FACTORS if name not in views.factors]:
        raise Unsuitable(
            f"orientation needs the factors {', '.join(FACTORS)} of each image, and {missing[0]} is not known. "
            "Take a source of views, such as `solids`, or leave the analysis out."
        )
    return np.stack([np.asarray(views.factors[name], np.float64) for name in FACTORS], axis=1)


def angles(a: Float[np.ndarray, "*n 4"], b: Float[np.ndarray, "*n 4"]) -> Float[np.ndarray, "*n"]:
    """The angle in degrees of the rotation that leads from one orientation to the other, 0 to 180.

    A quaternion and its negative are the same rotation.
    """
    return np.degrees(2 * np.arccos(np.clip(np.abs((a * b).sum(-1)), 0, 1)))


def nearest_by_cosine(
    queries: Float[np.ndarray, "n d"], book: Float[np.ndarray, "m d"], allowed: np.ndarray
) -> Int[np.ndarray, "n"]:
    """Which row of the book has the largest cosine with each query, of those that are allowed [n m]."""
    q, b = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in (queries, book))
    return np.where(allowed, q @ b.T, -np.inf).argmax(1)


def _closest(true: Quaternions, known: Float[np.ndarray, "m 4"], allowed: np.ndarray) -> Int[np.ndarray, "n"]:
    """Which known orientation is nearest to each true one."""
    return np.where(allowed, np.abs(true @ known.T), -np.inf).argmax(1)


def _same_class(queries: FeatureSet, book: FeatureSet) -> np.ndarray:
    """Whether a query and an entry of the book are of one class [n m]; without labels, all are."""
    if queries.labels is None or book.labels is None:
        return np.ones((len(queries.images), len(book.images)), bool)
    return np.asarray(queries.labels)[:, None] == np.asarray(book.labels)
