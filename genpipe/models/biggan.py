"""BigGAN (Brock et al. 2019, arXiv:1809.11096): a class-conditional GAN of residual blocks with self-attention."""

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from genpipe.errors import Unsuitable
from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Codes, Images, Labels, Scalar
from genpipe.nn import objectives
from genpipe.nn.adversarial import ConditionalGAN, DiscriminatorOutput
from genpipe.nn.heads import AuxiliaryHead, ProjectionHead
from genpipe.nn.labels import class_count
from genpipe.nn.modulation import conditional_batch_norm
from genpipe.nn.orthogonal import Form, initialize_orthogonally, kernels, orthogonality
from genpipe.nn.residual import Discriminator, Generator, Residual
from genpipe.nn.spectral import spectrally_normalized
from genpipe.nn.strided import doublings

HEADS = {"projection": ProjectionHead, "auxiliary": AuxiliaryHead}


class BigGAN(ConditionalGAN):
    """One embedding of the class for all of G, and a part of the code for each of its blocks (section 3)."""

    class Config(Residual):
        loss: objectives.Loss = "hinge"
        discriminator_steps: int = 2
        attention_size: int | None = 8
        embedding_dim: Annotated[int, Field(ge=1)] = 128
        """Numbers that tell G the class."""
        head: Literal["projection", "auxiliary"] = "projection"
        """Whether D is told the class, or has to tell it."""
        orthogonal_weight: Annotated[float, Field(ge=0)] = 1e-4
        """Of the departure of G's weights from orthogonality in its loss."""
        orthogonal_form: Form = "relaxed"
        """relaxed: filters may have any length."""

    def __init__(self, config: Config, spec: DataSpec) -> None:
        k = class_count(spec)
        judging = Discriminator(config, spec, lambda features: HEADS[config.head](features, k))
        drawing = SkipGenerator(config, spec, k)
        super().__init__(config, drawing, judging, k)
        self.apply(initialize_orthogonally)
        for net in (judging, drawing.net):  # the embedding of G stays free
            spectrally_normalized(net)
        self.orthogonal_weight, self.form = config.orthogonal_weight, config.orthogonal_form

    def generator_terms(self, fake: Images, of_fake: DiscriminatorOutput, batch: Batch) -> Mapping[str, Scalar]:
        terms = dict(super().generator_terms(fake, of_fake, batch))
        if self.orthogonal_weight:
            terms["orthogonality"] = self.orthogonal_weight * orthogonality(kernels(self.generator), self.form)
        return terms


class SkipGenerator(nn.Module):
    """G(z, y): what is left of the code makes the seed; each block's norms are told a part of it and the class."""

    def __init__(self, config: BigGAN.Config, spec: DataSpec, class_count: int) -> None:
        super().__init__()
        blocks = doublings(spec)
        self.part = config.latent_dim // (blocks + 1)
        if not self.part:
            raise Unsuitable(
                f"latent_dim is {config.latent_dim}, but {blocks} blocks and the seed each need a number of the code. "
                f"Make it {blocks + 1} or more."
            )
        told = config.embedding_dim + self.part
        self.seed_dim = config.latent_dim - blocks * self.part
        self.embedding = nn.Embedding(class_count, config.embedding_dim)
        self.net = Generator(config, self.seed_dim, spec, lambda channels: conditional_batch_norm(channels, told))

    def forward(self, z: Codes, y: Labels) -> Images:
        seed, of_class = z[:, : self.seed_dim], self.embedding(y)
        parts = z[:, self.seed_dim :].split(self.part, dim=1)
        return self.net(seed, [torch.cat([of_class, part], dim=1) for part in parts])
