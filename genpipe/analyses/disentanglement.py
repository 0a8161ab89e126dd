"""Disentanglement: whether each number of a code stands for one known factor of the images."""

from typing import Annotated

import numpy as np
from pydantic import Field

from genpipe.analyses._disentangling import dci, importances, mig, sap
from genpipe.analyses._factors import known, missing
from genpipe.analyses._matrices import drawn
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import Counts, DatasetInfo
from genpipe.interfaces.generative import Encodes
from genpipe.nn.latent_space import encoded
from genpipe.schema import Strict


class Disentanglement(Analysis):
    """MIG, SAP and DCI of the codes of real images, for a source that knows the factors of its images.

    MIG: Chen et al. 2018 (arXiv:1802.04942); SAP: Kumar et al. 2018 (arXiv:1711.00848); DCI: Eastwood & Williams 2018,
    by random forests. A factor that never varies takes no part.
    """

    class Config(Strict):
        images: Annotated[int, Field(ge=20)] = 2000
        """At most so many training images."""
        bins: Annotated[int, Field(ge=2)] = 20
        """Of codes and continuous factors, for the information that they share."""
        trees: Annotated[int, Field(ge=1)] = 10
        factors: Annotated[list[str], Field(min_length=1)] | None = None
        """Those that count; all that are known, if none is named."""

    requires = (Encodes,)

    @property
    def least_images(self) -> Counts:
        return Counts(training=20)

    def unmet_requirement(self, info: DatasetInfo) -> str | None:
        return missing(info.spec.factors, self.config.factors)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        rng = np.random.default_rng(context.seed)
        training = context.real.training
        some = training.part(np.sort(rng.permutation(len(training.images))[: self.config.images]))
        found = known(some, self.config.factors)
        mixed = rng.permutation(len(some.images))  # forests are taught by the first half
        z = encoded(context.model, some.images).astype(np.float64)[mixed]
        factors = {name: values[mixed] for name, values in found.items() if len(np.unique(values)) > 1}
        gaps, alone = mig(z, factors, self.config.bins), sap(z, factors, context.seed)
        weights, informed = importances(z, factors, self.config.trees, context.seed)
        pure, complete = dci(weights)
        numbers = {
            "mig": float(np.mean(list(gaps.values()))),
            "sap": float(np.mean(list(alone.values()))),
            "dci_disentanglement": pure,
            "dci_completeness": complete,
            "dci_informativeness": float(np.mean(list(informed.values()))),
        }
        told = (
            f"How much each number of a code counts in telling each factor of {len(z):,} images (a row sums to 1). "
            f"MIG {numbers['mig']:.3f}, SAP {numbers['sap']:.3f}; DCI: disentanglement {pure:.3f}, completeness "
            f"{complete:.3f}, informativeness (R²) {numbers['dci_informativeness']:.3f}."
        )
        return AnalysisResult(
            {"disentanglement": (drawn(weights.T, list(factors), "number of the code"), told)}, numbers
        )
