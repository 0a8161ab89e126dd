"""Variational learning from few labels (Kingma et al. 2014, arXiv:1406.5298): M1, M2 and their objective."""

from itertools import pairwise
from math import log, pi

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from genpipe.interfaces import Codes, Images, ImageSpec, Labels, Logs, Scalar
from genpipe.nn.bodies import Body, encoder
from genpipe.nn.labels import beside
from genpipe.nn.likelihoods import Likelihood
from genpipe.nn.variational import Posterior, kl_to_standard_normal, likelihood_decoder, negative_bound

Inputs = Float[Tensor, "b *x"]
"""Images, or codes that stand for them."""


class M1(nn.Module):
    """A VAE of images alone, whose codes are features; section 2.1."""

    def __init__(self, config: Body, feature_dim: int, spec: ImageSpec, given: Likelihood) -> None:
        super().__init__()
        self.likelihood = given
        self.encoder = encoder(config, spec, 2 * feature_dim)
        self.decoder = likelihood_decoder(config, feature_dim, spec, given)

    def posterior(self, x: Images) -> Posterior:
        """μ and log σ² of q(z|x)."""
        mu, logvar = self.encoder(x).to(x.dtype).chunk(2, dim=1)
        return mu, logvar

    def drawn(self, x: Images) -> Codes:
        """A code of each image, from q(z|x)."""
        mu, logvar = self.posterior(x)
        return mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)

    def loss(self, x: Images) -> tuple[Scalar, Logs]:
        """Negative evidence lower bound in nats per image."""
        return negative_bound(x, self.posterior(x), self.decoder, self.likelihood, 1.0)


class CodeGaussian(nn.Module):
    """N(μ, diag σ²) of codes; the outputs are μ and log σ² side by side."""

    def nll(self, x: Codes, outputs: Tensor) -> Float[Tensor, " b"]:
        """−log p in nats."""
        mu, logvar = outputs.to(x.dtype).chunk(2, dim=1)
        return 0.5 * ((x - mu).square() * torch.exp(-logvar) + logvar + log(2 * pi)).sum(1)

    @staticmethod
    def drawn(outputs: Tensor, rng: torch.Generator) -> Codes:
        """A code of each output."""
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
    ) -> None:
        super().__init__()
        self.classifier, self.trunk, self.encoder, self.decoder = classifier, trunk, encoder, decoder
        self.likelihood, self.class_count = given, class_count

    def decode(self, z: Codes, y: Labels) -> Tensor:
        """What the decoder puts out for codes and labels."""
        return self.decoder(beside(z, y, self.class_count))

    def negative_bounds(self, x: Inputs) -> Float[Tensor, "b k"]:
        """−L(x, y) of each class y, where L is the lower bound on log p(x, y) in nats; eq. 6.

        One noise is drawn for each x, and its codes for all classes come from that.
        """
        b, k = len(x), self.class_count
        y = torch.arange(k, device=x.device).repeat(b)
        h = self.trunk(x).repeat_interleave(k, dim=0)
        mu, logvar = self.encoder(beside(h, y, k)).to(x.dtype).chunk(2, dim=1)
        noise = torch.randn(b, mu.shape[1], device=x.device, dtype=x.dtype).repeat_interleave(k, dim=0)
        outputs = self.decode(mu + torch.exp(0.5 * logvar) * noise, y)
        nats = self.likelihood.nll(x.repeat_interleave(k, dim=0), outputs) + kl_to_standard_normal(mu, logvar) + log(k)
        return nats.view(b, k)

    def log_q(self, x: Inputs) -> Float[Tensor, "b k"]:
        """log q(y|x) of each class y."""
        return self.classifier(x).to(x.dtype).log_softmax(1)


def unlabelled_bound(of_classes: Float[Tensor, "b k"], log_q: Float[Tensor, "b k"]) -> Float[Tensor, " b"]:
    """−U(x) in nats: the mean of −L(x, y) over q(y|x), less the entropy of that; eq. 7."""
    return (log_q.exp() * (of_classes + log_q)).sum(1)


def objective(
    of_classes: Float[Tensor, "b k"],
    log_q: Float[Tensor, "b k"],
    known: Bool[Tensor, " b"],
    y: Labels,
    labelled_share: float,
    classification_weight: float,
) -> tuple[Scalar, Logs]:
    """J^α in nats per image, eqs. 8 and 9, of −L(x, y) and log q(y|x); y counts only where it is known.

    Labelled images weigh as is their share of the data, whatever it is of the batch; the mean cross-entropy of their
    labels has a weight of its own, α/N of the paper.
    """
    unlabelled = _mean(unlabelled_bound(of_classes, log_q), ~known)
    labelled = _mean(of_classes.gather(1, y[:, None])[:, 0], known)
    nats = _mean(cross_entropy(log_q, y, reduction="none"), known)
    loss = (1 - labelled_share) * unlabelled + labelled_share * labelled + classification_weight * nats
    logs = {"unlabelled_nats": unlabelled, "labelled_nats": labelled, "classification_nats": nats}
    return loss, {name: value.detach() for name, value in logs.items()}


def perceptron(inputs: int, widths: list[int], outputs: int) -> nn.Sequential:
    """Fully connected layers with ReLU between them."""
    sizes = [inputs, *widths]
    hidden = [layer for i, o in pairwise(sizes) for layer in (nn.Linear(i, o), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(sizes[-1], outputs))


def _mean(values: Float[Tensor, " b"], of: Bool[Tensor, " b"]) -> Scalar:
    """Of some; 0 if there are none."""
    return torch.where(of, values, 0.0).sum() / of.sum().clamp(min=1)
