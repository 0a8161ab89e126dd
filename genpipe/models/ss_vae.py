"""Semi-supervised variational autoencoder (Kingma et al. 2014, arXiv:1406.5298): few labels, many images."""

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import nll_loss

from genpipe.interfaces.classes import Classifies, GeneratesClasses
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.phases import Batch, Phase
from genpipe.interfaces.sources import KNOWN_LABEL
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Images, Labels, Logs, Scalar
from genpipe.nn.encoder_decoder import Width, encoder
from genpipe.nn.labels import class_count
from genpipe.nn.likelihoods import likelihood
from genpipe.nn.priors import StandardNormalPrior
from genpipe.nn.semi_supervised import M1, M2, CodeGaussian, objective, perceptron, unlabeled_bound
from genpipe.nn.variational import LatentVariable, likelihood_decoder


class SSVAE(StandardNormalPrior, Generative, GeneratesClasses, Classifies):
    """M2 on images; or M1+M2: first a VAE of images alone, then M2 on its codes.

    The data say as a field which labels are known; the loss looks at no others.
    """

    class Config(LatentVariable):
        feature_dim: Width | None = None
        """Numbers in a code of M1, from which M2 learns; null: M2 learns from the images themselves."""
        feature_widths: Annotated[list[Width], Field(min_length=1)] = [256]
        """Of the nets of M2 on codes; and of the one that joins images and labels where it learns from images."""
        feature_share: Annotated[float, Field(ge=0, le=1)] = 0.5
        """Of the steps, for M1."""
        labeled_share: Annotated[float, Field(ge=0, le=1)] = 0.025
        """How much the bound of labeled images weighs: as is their share of the data."""
        classification_weight: Annotated[float, Field(ge=0)] = 0.1
        """Of the cross-entropy of known labels, in nats per image: α/N of the paper."""

    fields = {KNOWN_LABEL: "attributes"}
    balance_by = KNOWN_LABEL

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.config, self.latent_dim, self.class_count = config, config.latent_dim, class_count(spec)
        self.likelihood = likelihood(config.likelihood, config.decoder_variance, spec)
        features = config.feature_dim
        self.m1 = M1(config, features, spec, self.likelihood) if features else None
        self.m2 = self._of_codes(features) if features else self._of_images(spec)

    def phases(self) -> list[Phase]:
        if self.m1 is None:
            return [Phase("autoencoder", self.m2, self.loss)]
        share = self.config.feature_share
        return [
            Phase("autoencoder", self.m1, self.feature_loss, during=(0.0, share)),
            Phase("autoencoder", self.m2, self.loss, during=(share, 1.0)),
        ]

    def feature_loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Negative bound of M1 in nats per image, of the images without a known label.

        Those with one come over and over in the batches, and would be learned by heart.
        """
        assert self.m1 is not None
        unlabeled = batch.x[~batch.fields[KNOWN_LABEL].any(1)]
        return self.m1.loss(unlabeled if len(unlabeled) else batch.x)

    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """J^α in nats per image; of M1+M2, of a code that is drawn for each image."""
        x = self.m1.drawn(batch.x) if self.m1 else batch.x
        rows, config = batch.fields[KNOWN_LABEL], self.config
        known, log_q = rows.any(1), self.m2.log_q(x)
        y = rows[known].argmax(1)
        return objective(
            unlabeled_bound(self.m2.negative_elbos(x[~known]), log_q[~known]),
            self.m2.negative_elbo(x[known], y),
            nll_loss(log_q[known], y, reduction="none"),
            config.labeled_share,
            config.classification_weight,
        )

    def class_logits(self, x: Images) -> Float[Tensor, "b k"]:
        return self.m2.log_q(self.m1.posterior(x)[0] if self.m1 else x)

    def sample_of(self, y: Labels, rng: torch.Generator) -> Images:
        outputs = self.m2.decode(self.prior(len(y), rng), y)
        if self.m1:
            outputs = self.m1.decoder(CodeGaussian.drawn(outputs, rng))
        return self.likelihood.mean(outputs)

    def _of_images(self, spec: DataSpec) -> M2:
        config, k, d = self.config, self.class_count, self.latent_dim
        widths = config.feature_widths
        trunk = nn.Sequential(encoder(config, spec, widths[0]), nn.ReLU())
        inference = perceptron(widths[0] + k, widths, 2 * d)
        decoder = likelihood_decoder(config, d + k, spec, self.likelihood)
        return M2(encoder(config, spec, k), trunk, inference, decoder, self.likelihood, k, d)

    def _of_codes(self, features: int) -> M2:
        widths, k, d = self.config.feature_widths, self.class_count, self.latent_dim
        nets = ((features, k), (features + k, 2 * d), (d + k, 2 * features))
        classifier, inference, decoder = (perceptron(i, widths, o) for i, o in nets)
        return M2(classifier, nn.Identity(), inference, decoder, CodeGaussian(), k, d)
