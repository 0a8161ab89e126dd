"""Codes of which it is known what their images show: the class, or a factor."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from genpipe.analyses import _factors
from genpipe.analyses._factors import Reader, known, reader, restored
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import DatasetInfo
from genpipe.interfaces.extractors import FeatureSet
from genpipe.interfaces.generative import Encodes
from genpipe.nn.batched_inference import decoded
from genpipe.nn.image_grid import grid
from genpipe.nn.latent_space import encoded, of_prior


@dataclass(frozen=True)
class Attribute:
    """What an image shows in one respect, and how it is read off."""

    context: AnalysisContext
    name: str
    """A factor, or "class"."""
    true: np.ndarray
    """Its values in the training images."""
    reading: Reader | None
    """None where the extractor reads classes."""

    @property
    def categories(self) -> np.ndarray:
        """Its values, rising. Raises Unsuitable if it is no category, or has only one."""
        found = np.unique(self.true)
        if self.true.dtype.kind not in "biu" or len(found) < 2:
            raise Unsuitable(f"{self.name} has no two categories in these images; name another `factor`.")
        return found

    def read(self, images: UInt8[np.ndarray, "m c h w"]) -> Float[np.ndarray, "m k"]:
        """It as seen in images: a column a category, or a number, or cosine and sine."""
        if self.reading is not None:
            return self.reading.read(images)[self.name]
        probabilities = self.context.extract(images).probabilities
        assert probabilities is not None, "an extractor gives probabilities of all images or of none"
        return probabilities[:, self.categories]

    def value(self, images: UInt8[np.ndarray, "m c h w"]) -> np.ndarray:
        """It as seen in images, as the value of each."""
        return restored(self.read(images), self.true)


def missing(info: DatasetInfo, factor: str | None) -> str | None:
    """What to say of data that do not know a factor, or the class if none is named; None if they do."""
    if factor is not None:
        return _factors.missing(info.spec.factors, [factor])
    few = (
        f"the images have {len(info.spec.trained) or 'no'} classes, and two are needed; name a `factor`, or remove it."
    )
    return few if len(info.spec.trained) < 2 else None


def attribute(context: AnalysisContext, factor: str | None) -> Attribute:
    """A factor, or the class if none is named. Raises Unsuitable if it is not known, or cannot be seen."""
    training = context.real.training
    if factor is not None:
        return Attribute(context, factor, known(training, [factor])[factor], reader(context))
    if training.labels is None or training.probabilities is None:
        raise Unsuitable("classes are not known, or the first extractor does not see them; name a `factor`.")
    return Attribute(context, "class", np.asarray(training.labels), None)


def examples(of: Attribute, images: int) -> tuple[Float[np.ndarray, "n d"], np.ndarray, str]:
    """Codes, the attribute's value of each, and where they are from.

    They are codes of training images, of which the value is known; of a model that does not encode, codes of the
    prior, whose images show it.
    """
    context = of.context
    if isinstance(context.model, Encodes):
        rows = np.sort(np.random.default_rng(context.seed).permutation(len(of.true))[:images])
        some: FeatureSet = context.real.training.part(rows)
        return encoded(context.model, some.images).astype(np.float64), of.true[rows], "training images"
    z = of_prior(context.model, images, context.seed).astype(np.float64)
    return z, of.value(decoded(context.model, z)), f"samples, the {of.name} as read off them"


def too_alike(of: Attribute, analysis: str, z: Float[np.ndarray, "n d"], told: str) -> AnalysisResult:
    """What there is to show where too few examples have a value: their images, if they were drawn.

    Raises Unsuitable where images have the codes, for there are others to be taken.
    """
    if isinstance(of.context.model, Encodes):
        raise Unsuitable(f"{analysis}: {told}. Take more `examples`.")
    some = decoded(of.context.model, z)
    return AnalysisResult({analysis: (grid(some, len(some)), f"Samples too alike for {analysis}: {told}.")})
