"""Traversal: what each number of a code changes while the others stay."""

from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from genpipe.analyses._codes import starts
from genpipe.analyses._disentangling import dci
from genpipe.analyses._factors import Reader, reader
from genpipe.analyses._matrices import drawn
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.generative import Decodes, Encodes, Generative
from genpipe.nn.batched_inference import decoded
from genpipe.nn.image_grid import grid
from genpipe.nn.latent_space import encoded, of_prior, quantiles
from genpipe.schema import Strict

_DRAWN = 10_000
_ENCODED = 2000
_READABLE = 0.5
"""Factors of which less of the variance can be read off real images say nothing here."""


class Traversal(Analysis):
    """One number of a code runs over its quantiles, the others stay as they are in the code of an image.

    The numbers that change the image most come first: by the mean squared difference between the images of the two
    ends. Where the source knows the factors of its images, these are read off the images too: the share of a factor's
    variance over real images that turning one number makes, and how concentrated these shares are (as in DCI, Eastwood
    & Williams 2018, section 2).
    """

    class Config(Strict):
        codes: Annotated[int, Field(ge=1, le=64)] = 10
        """Shown at most."""
        images: Annotated[int, Field(ge=2, le=64)] = 11
        """Along each."""
        tail: Annotated[float, Field(gt=0, lt=0.5)] = 0.025
        """Probability beyond either end."""
        quantiles_of: Literal["prior", "codes"] = "prior"
        """Codes: of training images; of a model without a prior that its codes keep to."""
        starts: Annotated[int, Field(ge=1, le=1000)] = 16
        """Images over which changes are averaged; the first is shown."""

    requires = (Decodes,)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        z, whose = starts(context, self.config.starts)
        places = quantiles(self._codes(context), self.config.images, self.config.tail)
        changes = changed(context.model, z, places[[0, -1]])
        order = np.argsort(-changes, kind="stable")[: self.config.codes].tolist()
        rows = np.concatenate([turned(z[:1], code, places[:, code]) for code in order])
        told = (
            f"From a code of {whose}: in each row one number of it runs over the quantiles of the "
            f"{self.config.quantiles_of}, those that change most first (numbers {', '.join(map(str, order))})."
        )
        pictures = {"traversal": (grid(decoded(context.model, rows), self.config.images), told)}
        if not context.real.training.factors:
            return AnalysisResult(pictures)
        return self._of_factors(context, z, places, pictures)

    def _codes(self, context: AnalysisContext) -> Float[np.ndarray, "n d"]:
        """Codes whose quantiles count."""
        if self.config.quantiles_of == "prior":
            return of_prior(context.model, _DRAWN, context.seed)
        if not isinstance(context.model, Encodes):
            raise Unsuitable("traversal: `quantiles_of: codes` needs a model that encodes; take `prior`.")
        return encoded(context.model, context.real.training.images[:_ENCODED])

    def _of_factors(
        self, context: AnalysisContext, z: np.ndarray, places: np.ndarray, pictures: dict
    ) -> AnalysisResult:
        reading = reader(context)
        names = [name for name, r2 in reading.r2.items() if r2 >= _READABLE]
        if not names:
            return AnalysisResult(pictures)
        shares = moved(context, reading, names, z, places)
        pure, complete = dci(shares.T)
        rows = [f"{name} ({reading.r2[name]:.2f})" for name in names]
        told = (
            "Turning one number of the code makes this share of each factor's variance over real images. Factors are "
            "read off pixels; in brackets the R² of reading them off held-out real images. A number moves one factor "
            f"alone (1) or all alike (0): {pure:.3f}; a factor is moved by one number alone or by all: {complete:.3f}."
        )
        pictures["traversal_factors"] = (drawn(shares, rows, "number of the code"), told)
        return AnalysisResult(pictures, {"traversal_disentanglement": pure, "traversal_completeness": complete})


def turned(z: Float[np.ndarray, "n d"], code: int, places: Float[np.ndarray, "s"]) -> Float[np.ndarray, "m d"]:
    """Each code with one of its numbers at each of the places, place after place of one code first."""
    many = np.repeat(z.astype(np.float64), len(places), axis=0)
    many[:, code] = np.tile(places, len(z))
    return many


def changed(model: Generative, z: Float[np.ndarray, "n d"], ends: Float[np.ndarray, "2 d"]) -> Float[np.ndarray, "d"]:
    """The mean squared difference of pixels, in squared levels, between the two ends of each number of a code."""
    found = []
    for code in range(z.shape[1]):
        pairs = decoded(model, turned(z[:4], code, ends[:, code])).astype(np.float64)
        found.append(np.square(pairs[::2] - pairs[1::2]).mean())
    return np.array(found)


def moved(
    context: AnalysisContext,
    reading: Reader,
    names: list[str],
    z: Float[np.ndarray, "n d"],
    places: Float[np.ndarray, "s d"],
) -> Float[np.ndarray, "k d"]:
    """The variance of each factor along each number of a code, averaged over codes, per variance over real images."""
    found = {name: np.zeros(z.shape[1]) for name in reading.weights}
    for code in range(z.shape[1]):
        images = decoded(context.model, turned(z, code, places[:, code]))
        for name, read in reading.read(images).items():
            along = read.reshape(len(z), len(places), -1)
            found[name][code] = along.var(1).sum(-1).mean() / reading.variances[name]
    return np.stack([found[name] for name in names])
