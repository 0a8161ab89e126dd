"""StyleGAN (Karras et al. 2019, arXiv:1812.04948): a style at every layer of G, and noise at every place."""

from collections.abc import Mapping
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.sampling import SamplingConfig
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.styles import HasStyles, Style, Styles
from genpipe.interfaces.tensors import Codes, Images, Scalar
from genpipe.nn import penalties
from genpipe.nn.adversarial import DiscriminatorOutput
from genpipe.nn.fading import FadingDiscriminator
from genpipe.nn.growing import Growing, Growth, sizes, widths
from genpipe.nn.strided import first_size
from genpipe.nn.styled import StyledGenerator, mapping

_FOLLOWS = 0.005
"""Share of the newest batch in the mean of styles, as in the authors' code."""


class StyleGAN(Growing, HasStyles):
    """Codes become styles before G sees them; in training an image may have the styles of two codes.

    `sample` draws noise for every image. `decode` and `from_styles` take the noise that is kept with the weights, so
    that an image is of its code alone.
    """

    generator: StyledGenerator
    mean_style: Float[Tensor, " style"]

    class Config(Growth):
        penalty: penalties.Kind = "r1"
        start_size: int = 8
        style_dim: Annotated[int, Field(ge=1)] = 512
        """Numbers in a style w."""
        mapping_layers: Annotated[int, Field(ge=1, le=100)] = 8
        """From z to w."""
        mapping_lr_multiplier: Annotated[float, Field(gt=0)] = 0.01
        """So many times as fast as the other layers they learn."""
        mixing_probability: Annotated[float, Field(ge=0, le=1)] = 0.9
        """That an image in training has the styles of two codes, one up to a layer and one from there."""
        path_length_weight: Annotated[float, Field(ge=0)] = 0.0
        """In G's loss, of how unevenly images change with w (Karras et al. 2020, arXiv:1912.04958); there 2."""
        path_length_interval: Annotated[int, Field(ge=1)] = 8
        """Of G; at each of these it is so many times as heavy."""

    class Sampling(SamplingConfig):
        truncation: Annotated[float, Field(ge=0)] = 1.0
        """The ψ of appendix B: the distance of a style from the mean style is multiplied by it."""

    sampling: Sampling  # type: ignore[assignment]

    def __init__(self, config: Config, spec: DataSpec) -> None:
        levels, most, smallest = len(sizes(config, spec)), config.most_channels, first_size(spec)
        to_style = mapping(config.latent_dim, config.style_dim, config.mapping_layers, config.mapping_lr_multiplier)
        outwards = widths(config.generator_channels, most, spec)
        drawing = StyledGenerator(to_style, config.style_dim, outwards, spec.channels, levels, smallest, config.output)
        inwards = widths(config.discriminator_channels, most, spec)
        judging = FadingDiscriminator(inwards, spec.channels, levels, smallest, blur=True)
        super().__init__(config, drawing, judging, spec)
        self.style_layers, self.mixing_probability = len(drawing.layer_sizes), config.mixing_probability
        self.path_length = penalties.PathLength(config.path_length_weight, config.path_length_interval)
        self.register_buffer("mean_style", torch.zeros(config.style_dim))

    def style(self, z: Codes) -> Style:
        return self.generator.to_style(z)

    def from_styles(self, w: Styles) -> Images:
        return self._drawn(w, self.generator.kept_noise)

    def sample(self, n: int, rng: torch.Generator) -> Images:
        w = torch.lerp(self.mean_style, self.style(self.prior(n, rng)), self.sampling.truncation)
        return self._drawn(self._repeated(w), self.generator.noise(n, rng.device, rng))

    def generate(self, z: Codes, batch: Batch) -> Images:
        w = self.style(z)
        self.mean_style.lerp_(w.detach().float().mean(0), _FOLLOWS)
        level = self.level_of(batch)
        return self._at(batch, self.mixed(w, self.generator.layers_at(level)))

    def generator_terms(self, fake: Images, of_fake: DiscriminatorOutput, batch: Batch) -> Mapping[str, Scalar]:
        uneven = self.path_length(
            lambda w: self._at(batch, self._repeated(w)), lambda: self.style(self.codes_like(batch))
        )
        return {**super().generator_terms(fake, of_fake, batch), **uneven}

    def mixed(self, w: Style, layers: int) -> Styles:
        """The styles of all layers, of some images from a layer on those of other codes: section 3.1."""
        repeated = self._repeated(w)
        if not self.mixing_probability:
            return repeated
        b, device = len(w), w.device
        other = self.style(torch.randn(b, self.latent_dim, device=device))
        mixes = torch.rand(b, 1, device=device) < self.mixing_probability
        crossing = torch.where(mixes, torch.randint(1, layers, (b, 1), device=device), self.style_layers)
        first = torch.arange(self.style_layers, device=device) < crossing
        return torch.where(first[:, :, None], repeated, self._repeated(other))

    def _at(self, batch: Batch, w: Styles) -> Images:
        """Images of the size of those in a batch, with new noise."""
        level = self.level_of(batch)
        return self.generator.drawn(w, level, self.alpha(level), self.generator.noise(len(w), w.device))

    def _drawn(self, w: Styles, noise: list[Tensor]) -> Images:
        return self.shown(lambda level, alpha: self.generator.drawn(w, level, alpha, noise))

    def _repeated(self, w: Style) -> Styles:
        return w[:, None].expand(-1, self.style_layers, -1)
