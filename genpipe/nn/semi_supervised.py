"""Variational learning from few labels (Kingma et al. 2014, arXiv:1406.5298): M1, M2 and their objective."""

from itertools import pairwise
from math import log, pi

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Codes, Images, Labels, Logs, Scalar
from genpipe.nn.encoder_decoder import EncoderDecoder, encoder
from genpipe.nn.labels import beside
from genpipe.nn.likelihoods import Likelihood
from genpipe.nn.variational import Posterior, kl_to_standard_normal, likelihood_decoder, negative_elbo

Inputs = Float[Tensor, "b *x"]
"""Images, or codes in their place."""


class M1(nn.Module):
    """A VAE of images alone, whose codes are features; section 2.1."""

    def __init__(self, config: EncoderDecoder, feature_dim: int, spec: DataSpec, given: Likelihood) -> None:
        super().__init__()
        self.likelihood = given
        self.encoder = encoder(config, spec, 2 * feature_dim)
        self.decoder = likelihood_decoder(config, feature_dim, spec, given)

    def posterior(self, x: Images) -> Posterior:
        """Returns μ and log σ² of q(z|x)."""
        mu, logvar = self.encoder(x).to(x.dtype).chunk(2, dim=1)
        return mu, logvar

    def drawn(self, x: Images) -> Codes:
        """Returns a code of each image, sampled from q(z|x)."""
        mu, logvar = self.posterior(x)
        return mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)

    def loss(self, x: Images) -> tuple[Scalar, Logs]:
        """Returns the negative evidence lower bound in nats per image."""
        return negative_elbo(x, self.posterior(x), self.decoder, self.likelihood, 1.0)


class CodeGaussian(nn.Module):
    """N(μ, diag σ²) of codes; the outputs are μ and log σ² side by side."""

    def nll(self, x: Codes, outputs: Tensor) -> Float[Tensor, " b"]:
        """Returns −log p in nats."""
        mu, logvar = outputs.to(x.dtype).chunk(2, dim=1)
        return 0.5 * ((x - mu).square() * torch.exp(-logvar) + logvar + log(2 * pi)).sum(1)

    @staticmethod
    def drawn(outputs: Tensor, rng: torch.Generator) -> Codes:
        """Returns a sampled code for each output."""
        mu, logvar = outputs.chunk(2, dim=1)
        noise = torch.randn(mu.shape, generator=rng, device=mu.device, dtype=mu.dtype)
        return mu + torch.exp(0.5 * logvar) * noise


class M2(nn.Module):
    """q(y|x), q(z|x, y) and p(x|y, z), with p(y) uniform and p(z) = N(0, I); section 2.2.

    The encoder finds y beside what the trunk makes of x, the decoder beside z, as one-hot numbers.
    """

    def __init__(
        self,
        classifier: nn.Module,
        trunk: nn.Module,
        encoder: nn.Module,
        decoder: nn.Module,
        given: Likelihood | CodeGaussian,
        class_count: int,
        latent_dim: int,
    ) -> None:
        super().__init__()
        self.classifier, self.trunk, self.encoder, self.decoder = classifier, trunk, encoder, decoder
        self.likelihood, self.class_count, self.latent_dim = given, class_count, latent_dim

    def decode(self, z: Codes, y: Labels) -> Tensor:
        """Returns the output of the decoder for codes and labels."""
        return self.decoder(beside(z, y, self.class_count))

    def negative_elbo(self, x: Inputs, y: Labels) -> Float[Tensor, " b"]:
        """Returns −L(x, y), where L is the lower bound on log p(x, y) in nats; eq. 6."""
        return self._negative_elbo(x, self.trunk(x), self._noise(x), y)

    def negative_elbos(self, x: Inputs) -> Float[Tensor, "b k"]:
        """Returns −L(x, y) of each class y in nats; an x has the same noise for all classes."""
        k, parts = self.class_count, (x, self.trunk(x), self._noise(x))
        each, h, noise = (part.repeat_interleave(k, dim=0) for part in parts)
        y = torch.arange(k, device=x.device).repeat(len(x))
        return self._negative_elbo(each, h, noise, y).view(len(x), k)

    def _negative_elbo(self, x: Inputs, h: Float[Tensor, "b *h"], noise: Codes, y: Labels) -> Float[Tensor, " b"]:
        mu, logvar = self.encoder(beside(h, y, self.class_count)).to(x.dtype).chunk(2, dim=1)
        outputs = self.decode(mu + torch.exp(0.5 * logvar) * noise, y)
        return self.likelihood.nll(x, outputs) + kl_to_standard_normal(mu, logvar) + log(self.class_count)

    def _noise(self, x: Inputs) -> Codes:
        return torch.randn(len(x), self.latent_dim, device=x.device, dtype=x.dtype)

    def log_q(self, x: Inputs) -> Float[Tensor, "b k"]:
        """Returns log q(y|x) of each class y."""
        return self.classifier(x).to(x.dtype).log_softmax(1)


def unlabeled_bound(of_classes: Float[Tensor, "b k"], log_q: Float[Tensor, "b k"]) -> Float[Tensor, " b"]:
    """Returns −U(x) in nats: the mean of −L(x, y) over q(y|x), less the entropy of that; eq. 7."""
    return (log_q.exp() * (of_classes + log_q)).sum(1)


def objective(
    unlabeled: Float[Tensor, " u"],
    labeled: Float[Tensor, " l"],
    classification: Float[Tensor, " l"],
    labeled_share: float,
    classification_weight: float,
) -> tuple[Scalar, Logs]:
    """Returns J^α in nats per image, eqs. 8 and 9, of −U(x), −L(x, y) and −log q(y|x).

    Labeled images weigh as is their share of the data, whatever it is of the batch; the mean cross-entropy of their
    labels has a weight of its own, α/N of the paper.
    """
    free, told, nats = _mean(unlabeled), _mean(labeled), _mean(classification)
    loss = (1 - labeled_share) * free + labeled_share * told + classification_weight * nats
    logs = {"unlabeled_nats": free, "labeled_nats": told, "classification_nats": nats}
    return loss, {name: value.detach() for name, value in logs.items()}


def perceptron(inputs: int, widths: list[int], outputs: int) -> nn.Sequential:
    """Returns fully connected layers with ReLU between them."""
    sizes = [inputs, *widths]
    hidden = [layer for i, o in pairwise(sizes) for layer in (nn.Linear(i, o), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(sizes[-1], outputs))


def _mean(values: Float[Tensor, " b"]) -> Scalar:
    """0 of none."""
    return values.sum() / max(1, len(values))
