"""Conditional variational autoencoder (Sohn et al. 2015; Kingma et al. 2014, arXiv:1406.5298)."""

from dataclasses import replace
from functools import partial

import torch

from genpipe.interfaces.classes import GeneratesClasses
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.phases import Batch, Phase
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Codes, Images, Labels, Logs, Scalar
from genpipe.nn.encoder_decoder import encoder
from genpipe.nn.labels import WithLabels, class_count, known
from genpipe.nn.likelihoods import likelihood
from genpipe.nn.priors import StandardNormalPrior
from genpipe.nn.variational import Variational, likelihood_decoder, negative_elbo


class CVAE(StandardNormalPrior, Generative, GeneratesClasses):
    """q(z|x, y) = N(μ(x, y), diag σ²(x, y)), p(z|y) = N(0, I), and p(x|z, y) of the likelihood.

    The label is known to both, so that the code need not carry it. Encoding asks for y as well as x, which is why this
    is no `Encodes`.
    """

    class Config(Variational): ...

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.config, self.latent_dim, self.class_count = config, config.latent_dim, class_count(spec)
        self.likelihood = likelihood(config.likelihood, config.decoder_variance, spec)
        k = self.class_count
        labeled = replace(spec, channels=spec.channels + k)
        self.encoder = WithLabels(encoder(config, labeled, 2 * config.latent_dim), k)
        self.decoder = WithLabels(likelihood_decoder(config, config.latent_dim + k, spec, self.likelihood), k)

    def phases(self) -> list[Phase]:
        return [Phase("autoencoder", self, self.loss)]

    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Negative lower bound on log p(x|y) in nats per image."""
        y = known(batch)
        decode, weight = partial(self.decoder, y=y), self.config.kl_weight
        return negative_elbo(batch.x, self.posterior(batch.x, y), decode, self.likelihood, weight)

    def posterior(self, x: Images, y: Labels) -> tuple[Codes, Codes]:
        """μ and log σ² of q(z|x, y)."""
        mu, logvar = self.encoder(x, y).chunk(2, dim=1)
        return mu, logvar

    def decode(self, z: Codes, y: Labels) -> Images:
        """E[x|z, y], in [-1, 1]."""
        return self.likelihood.mean(self.decoder(z, y))

    def sample_of(self, y: Labels, rng: torch.Generator) -> Images:
        return self.decode(self.prior(len(y), rng), y)
