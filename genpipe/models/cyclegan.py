"""CycleGAN (Zhu et al. 2017, arXiv:1703.10593): images of two domains are translated both ways, without any pairs."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from genpipe.errors import Unsuitable
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.phases import Batch, Phase
from genpipe.interfaces.sampling import SamplingConfig
from genpipe.interfaces.spec import DataSpec, Kinds
from genpipe.interfaces.tensors import Images, Logs, Scalar
from genpipe.interfaces.translation import TranslatesDomains
from genpipe.nn import objectives
from genpipe.nn.game import AdversarialConfig, Game
from genpipe.nn.image_pool import ImagePool
from genpipe.nn.patch_discriminator import PatchConfig, PatchDiscriminator
from genpipe.nn.resnet_translator import ResNetConfig, ResNetTranslator

DOMAINS = 2


class CycleGAN(Generative, TranslatesDomains):
    """G_d translates into domain d, D_d judges patches of images there; each cycle has to come back: eq. 3."""

    class Config(AdversarialConfig, PatchConfig, ResNetConfig):
        domain: str = "domain"
        """The name of the field with the domain of each image; it has two."""
        loss: objectives.Loss = "least-squares"
        cycle_weight: Annotated[float, Field(ge=0)] = 10.0
        """λ, of the L1 distance between an image and its cycle, eq. 2."""
        identity_weight: Annotated[float, Field(ge=0)] = 5.0
        """Of the L1 distance between an image and its translation into the domain that it is in: section 5.2."""
        pool_images: Annotated[int, Field(ge=0)] = 50
        """Earlier translations of each domain, from which D also learns; 0: none."""

    class Sampling(SamplingConfig):
        to: Annotated[int, Field(ge=0, lt=DOMAINS)] = 1
        """The number of the domain into which images of the other one are translated."""

    sampling: Sampling

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        found, size = spec.fields[config.domain], (spec.height, spec.width)
        if found.size != DOMAINS:
            raise Unsuitable(f"the field '{config.domain}' has {found.size} values; a cyclegan has two domains.")
        self.config, self.domain, self.balance_by = config, config.domain, config.domain
        self.generators, self.discriminators, self.pools = (
            nn.ModuleList([make() for _ in range(DOMAINS)])
            for make in (
                lambda: ResNetTranslator(config, spec.channels, spec.channels, size),
                lambda: PatchDiscriminator(config, spec.channels, size),
                lambda: ImagePool(config.pool_images, spec.shape),
            )
        )
        self.games = nn.ModuleList([Game(config, discriminator) for discriminator in self.discriminators])

    @classmethod
    def needed_fields(cls, config: Any) -> Mapping[str, Kinds]:
        return {config.domain: "class"}

    @property
    def target(self) -> int:
        return self.sampling.to

    def translate_to(self, x: Images, target: int) -> Images:
        return self.generators[target](x)

    def phases(self) -> list[Phase]:
        turns = self.config.discriminator_steps
        return [
            Phase("discriminator", self.discriminators, self.discriminator_loss, repeats=turns),
            Phase("generator", self.generators, self.generator_loss),
        ]

    def discriminator_loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Returns the loss of both discriminators: of real images, and of translations from the pool of each."""
        images, losses, found = self._by_domain(batch), list[Scalar](), dict[str, Tensor]()
        for d in range(DOMAINS):
            with torch.no_grad():
                fake = self.pools[d](self.generators[d](images[1 - d]))
            real, translated = self._logits(d, images[d]), self._logits(d, fake)
            critic = partial(self._logits, d)
            loss, terms, logs = self._game(d).discriminator_loss(real, [translated], critic, images[d], fake)
            losses += [loss, *terms.values()]
            found |= {f"{name}_of_{d}": value.detach() for name, value in {**logs, **terms}.items()}
        return torch.stack(losses).sum(), found

    def generator_loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Returns the loss of both generators; the curves also have the correlation of images and translations.

        It is below 0 where colors are inverted, which D and the cycle allow.
        """
        images = self._by_domain(batch)
        fakes = [self.generators[d](images[1 - d]) for d in range(DOMAINS)]
        cycles = [self.generators[1 - d](fake) for d, fake in enumerate(fakes)]
        terms = {"cycle": [l1_loss(cycle, images[1 - d]) for d, cycle in enumerate(cycles)]}
        if self.config.identity_weight:
            terms["identity"] = [l1_loss(self.generators[d](images[d]), images[d]) for d in range(DOMAINS)]
        weights = {"cycle": self.config.cycle_weight, "identity": self.config.identity_weight}
        summed = {name: weights[name] * torch.stack(values).sum() for name, values in terms.items()}
        opinions = [self._opinion(d, images[d], fake) for d, fake in enumerate(fakes)]
        logs = {name: value.detach() for name, value in summed.items()}
        logs |= {f"correlation_to_{d}": correlation(images[1 - d], fake.detach()) for d, fake in enumerate(fakes)}
        return torch.stack([*opinions, *summed.values()]).sum(), logs

    def _opinion(self, d: int, real: Images, fake: Images) -> Scalar:
        """G's loss by what D says of translations into a domain."""
        game = self._game(d)
        return game.generator_loss(self._logits(d, fake), self._logits(d, real) if game.objective.compares else None)

    def _logits(self, d: int, x: Images) -> objectives.Logits:
        """What D says of images of a domain, which are augmented."""
        return self.discriminators[d](self._game(d).augment(x))

    def _game(self, d: int) -> Game:
        game = self.games[d]
        assert isinstance(game, Game)
        return game

    def _by_domain(self, batch: Batch) -> list[Tensor]:
        """The images of each domain; a batch has half of each."""
        domain = batch.fields[self.domain]
        return [batch.x[domain == d] for d in range(DOMAINS)]


def correlation(a: Tensor, b: Tensor) -> Scalar:
    """Returns Pearson's correlation of the values of two tensors."""
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]
