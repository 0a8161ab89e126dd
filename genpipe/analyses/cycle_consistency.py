"""Cycles between two domains: whether a translation arrives, what it keeps, and whether it leads back."""

from typing import Annotated

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from genpipe.analyses._conditions import in_color
from genpipe.analyses._errors import absolute_error
from genpipe.analyses._linear import L2SVM, l2_svm
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.translation import TranslatesDomains
from genpipe.nn.batched_inference import shown
from genpipe.nn.image_grid import grid
from genpipe.schema import Strict

Pixels = UInt8[np.ndarray, "n c h w"]
_ERROR_WEIGHT = 0.01
"""Of the linear classifier of domains."""


class CycleConsistency(Analysis):
    """Of held-out images of each domain, the way to the other one and back: Zhu et al. 2017 (arXiv:1703.10593), eq. 2.

    The image between is rounded to pixels first: what a generator hides in values that no picture has (Chu et al. 2017,
    arXiv:1712.02950) is lost there, as it is for whoever looks at it.
    """

    class Config(Strict):
        images: Annotated[int, Field(ge=1, le=64)] = 8
        """Rows of the picture for each domain."""
        training_images: Annotated[int, Field(ge=10)] = 4000
        """Real images at most from which a linear classifier learns the domains."""

    requires = (TranslatesDomains,)
    sees_all = True

    def run(self, context: AnalysisContext) -> AnalysisResult:
        model, real = context.model, context.real.held_out
        assert isinstance(model, TranslatesDomains)
        domain = np.asarray(real.factors[model.domain])
        numbers, rows = dict[str, float](), list[np.ndarray]()
        knows_domain = _classifier(context, model.domain, self.config.training_images)
        numbers["domain_accuracy_real"] = knows_domain.accuracy(real.features, domain)
        for start in (0, 1):
            which = np.flatnonzero(domain == start)
            x = np.asarray(real.images[which])
            there = translated(context.model, x, 1 - start)
            back = translated(context.model, there, start)
            rows += [image for some in zip(x, there, back, strict=True) for image in some][: 3 * self.config.images]
            seen = context.extract(there)
            found = {"domain_accuracy": knows_domain.accuracy(seen.features, np.full(len(there), 1 - start))}
            if seen.probabilities is not None and real.labels is not None:
                found["content_accuracy"] = float((seen.probabilities.argmax(1) == real.labels[which]).mean())
            found["cycle_error"] = absolute_error(x, back)
            found["translation_change"] = absolute_error(x, there)
            numbers |= {f"{name}_to_{1 - start}": value for name, value in found.items()}
        told = "From the left: held-out images of either domain, in the other domain, and back again."
        return AnalysisResult({"cycle_consistency": (grid(in_color(np.stack(rows)), 6), told)}, numbers)


def translated(model: Generative, x: Pixels, target: int) -> Pixels:
    """Returns images moved into a domain, rounded to pixels."""
    assert isinstance(model, TranslatesDomains)
    return shown(x, lambda part: model.translate_to(part, target), model, "translations")


def _classifier(context: AnalysisContext, domain: str, most: int) -> L2SVM:
    """A linear classifier of domains, which has learned them from features of real training images."""
    training = context.real.training
    some = np.sort(np.random.default_rng(context.seed).permutation(len(training.images))[:most])
    rows, labels = np.asarray(training.features[some]), np.asarray(training.factors[domain])[some]
    return l2_svm(rows, labels, _ERROR_WEIGHT, context.model.device)
