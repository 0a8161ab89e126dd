"""What a system is, and what it may be able to do.

A system is a `Generative`: it declares its `Phase`s, and `fit` gives each its turn. What else it can do is said by the
capabilities it inherits from; stages, metrics and analyses ask for a capability and never for a name.

Images are float32 in [-1, 1], [batch channels height width], inside models; uint8 everywhere else.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from math import log
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from genpipe.document import Document
from genpipe.errors import ConfigError
from genpipe.schema import Strict
from genpipe.validation import validated

Images = Float[Tensor, "b c h w"]
Codes = Float[Tensor, "b d"]
Labels = Int[Tensor, "b"]
Scalar = Float[Tensor, ""]
Logs = Mapping[str, Tensor]
"""Further scalars of a loss, by name, left on the device."""
Measure = Literal["density", "256 levels", "2 levels"]
"""Whose likelihood it is: a density on the numbers of an image in [-1, 1], or a probability of its levels."""


class _Written(Strict):
    """An ImageSpec in JSON."""

    channels: int = Field(ge=1, le=1024)
    height: int = Field(ge=1, le=65_536)
    width: int = Field(ge=1, le=65_536)
    classes: list[str]
    levels: int = Field(ge=2, le=256)
    untrained: list[Annotated[int, Field(ge=0)]] = []


@dataclass(frozen=True)
class ImageSpec:
    """What a system knows of its data before it sees any: the shape of an image and the names of the classes."""

    channels: int
    height: int
    width: int
    classes: tuple[str, ...] = ()
    levels: int = 256
    """Of brightness; 2 where images are binarised: 0 and 255 alone."""
    untrained: tuple[int, ...] = ()
    """The numbers of the classes of which there is no training image; they are neither drawn nor scored."""

    @classmethod
    def from_json(cls, document: Document) -> "ImageSpec":
        """What `dataclasses.asdict` gave, from under `images` of a JSON file. Raises ConfigError if it is no such."""
        found = validated(_Written, document.mapping("images"), ("images",), document)
        if max(found.untrained, default=-1) >= len(found.classes):
            raise ConfigError([document.problem(("images", "untrained"), "there are not so many classes.")])
        classes, untrained = tuple(found.classes), tuple(found.untrained)
        return cls(found.channels, found.height, found.width, classes, found.levels, untrained)

    @property
    def trained(self) -> tuple[int, ...]:
        """The numbers of the classes of which there are training images."""
        return tuple(number for number in range(len(self.classes)) if number not in self.untrained)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.channels, self.height, self.width

    @property
    def values(self) -> int:
        """How many numbers an image has."""
        return self.channels * self.height * self.width


@dataclass(frozen=True)
class Batch:
    """Training images with what is known of each."""

    x: Images
    y: Labels | None = None
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    """What else the system asked for, by name, a row an image."""


@dataclass(frozen=True)
class Phase:
    """One optimizer's turn: the weights that it moves and the loss that moves them.

    `name` is the key under `optim:` in the YAML. The weights of everything outside `module` are frozen during the turn.
    The turn comes at every `every`-th step, `repeats` times, each time with a batch of its own, and only in the part of
    the training that `during` gives, (0, 1) for the whole: so a model is trained in stages. Several phases may share a
    name, and with it their knobs and curves; each has an optimizer of its own.
    """

    name: str
    module: nn.Module
    loss: Callable[[Batch], tuple[Scalar, Logs]]
    every: int = 1
    repeats: int = 1
    during: tuple[float, float] = (0.0, 1.0)

    def window(self, steps: int) -> tuple[int, int]:
        """After how many of so many steps its part of the training begins, and after how many it is over."""
        begin, end = self.during
        return round(begin * steps), round(end * steps)

    def due(self, step: int, steps: int) -> bool:
        """Whether it has a turn in this step, counted from 1, of so many."""
        begin, end = self.window(steps)
        return begin < step <= end and step % self.every == 0


class Trainable(nn.Module, ABC):
    """Anything that `fit` can train."""

    extras: ClassVar[tuple[str, ...]] = ()
    """What it has to be told of each image besides the label, by the names that the source gives."""
    groups: ClassVar[str | None] = None
    """The extra in whose groups images are shuffled: those with equal values stay in a row."""
    alternating: ClassVar[str | None] = None
    """The extra by which images alternate in a batch: one whose row is zero, then one whose row is not."""

    @abstractmethod
    def phases(self) -> list[Phase]:
        """The turns of one step, in order; none for a model that is fitted in closed form by `finish`."""

    def reach(self, done: float) -> None:
        """Called before every step with the share of the training that lies behind it, from 0 to below 1."""

    def finish(self, batches: Iterable[Batch]) -> None:
        """Called once after the last step with one pass over the training images in order."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(chain(self.parameters(), self.buffers())).device


class Generative(Trainable):
    """A generative model, built from its own `Config` and the data's `ImageSpec`."""

    Config: ClassVar[type[Strict]]
    built_from: tuple[Any, ...]
    """What it takes, besides its weights, to build the same again."""

    def __new__(cls, *given: Any, **_: Any) -> "Generative":
        made = super().__new__(cls)
        object.__setattr__(made, "built_from", given)  # nn.Module is not ready for attributes yet
        return made

    @abstractmethod
    def __init__(self, config: Strict, spec: ImageSpec) -> None:
        super().__init__()


class Generates(ABC):
    """Draws new images."""

    @abstractmethod
    def sample(self, n: int, rng: torch.Generator) -> Images:
        """n images in [-1, 1]; the same state of rng gives the same images."""


class GeneratesClasses(Generates):
    """Draws new images of the classes that are asked for."""

    class_count: int
    built_from: tuple[Any, ...]

    @abstractmethod
    def sample_of(self, y: Labels, rng: torch.Generator) -> Images:
        """An image in [-1, 1] of each class y, which is on the device of rng."""

    def in_turn(self, numbers: Int[Tensor, "n"]) -> Labels:
        """The class of each sample by its number: those that it was trained on, one after the other."""
        trained = torch.tensor(self.built_from[1].trained, device=numbers.device)
        return trained[numbers % len(trained)]

    def sample(self, n: int, rng: torch.Generator) -> Images:
        numbers = torch.randint(len(self.built_from[1].trained), (n,), generator=rng, device=rng.device)
        return self.sample_of(self.in_turn(numbers), rng)


class Decodes(Generates):
    """Draws a code from a prior and decodes it."""

    @abstractmethod
    def prior(self, n: int, rng: torch.Generator) -> Codes:
        """n codes of the prior, on the device of rng."""

    @abstractmethod
    def decode(self, z: Codes) -> Images:
        """The image of each code, in [-1, 1]."""

    def sample(self, n: int, rng: torch.Generator) -> Images:
        return self.decode(self.prior(n, rng))


class Truncates(Generates):
    """Draws new images from the middle of its prior only: fewer kinds of image, and more typical ones."""

    @abstractmethod
    def sample_within(self, n: int, threshold: float, rng: torch.Generator) -> Images:
        """n images in [-1, 1]; the smaller the threshold, which is above 0, the more typical."""


class Encodes(ABC):
    """Gives every image a code."""

    @abstractmethod
    def encode(self, x: Images) -> Codes:
        """The code of each image (the mean, where codes are distributions)."""


class Reconstructs(ABC):
    """Maps an image to its approximation."""

    @abstractmethod
    def reconstruct(self, x: Images) -> Images:
        """The approximation of each image, in [-1, 1]."""


class Infers(Encodes):
    """Gives every image a distribution of codes."""

    @abstractmethod
    def posterior(self, x: Images) -> tuple[Codes, Codes]:
        """μ and log σ² of q(z|x) = N(μ, diag σ²)."""

    def encode(self, x: Images) -> Codes:
        return self.posterior(x)[0]


class HasFeatures(ABC):
    """Has layers that look at images, and tells what they see."""

    @abstractmethod
    def features(self, x: Images) -> list[Tensor]:
        """What layers make of images, outermost first: maps [b c h w] and rows [b d]."""


class Classifies(ABC):
    """Says which class an image shows."""

    @abstractmethod
    def class_logits(self, x: Images) -> Float[Tensor, "b k"]:
        """log p(y|x) of each class y, but for what is the same for all."""

    def classify(self, x: Images) -> Float[Tensor, "b k"]:
        """p(y|x) of each class y."""
        return self.class_logits(x).softmax(1)


class HasLikelihood(ABC):
    """Says how probable an image is."""

    likelihood_of: Measure

    @abstractmethod
    def log_likelihood(self, x: Images, draws: int, rng: torch.Generator) -> Float[Tensor, " b"]:
        """log p(x) in nats; where it is estimated, a lower bound on average that rises with the draws of rng."""


class HasImportanceWeights(HasLikelihood):
    """Bounds how probable an image is by codes that are drawn for it."""

    @abstractmethod
    def log_weights(self, x: Images, draws: int, rng: torch.Generator) -> Float[Tensor, "draws b"]:
        """log p(x, z) − log q(z|x) of codes z drawn from q(z|x), in nats; on average the evidence lower bound."""

    def log_likelihood(self, x: Images, draws: int, rng: torch.Generator) -> Float[Tensor, " b"]:
        """The log of the mean weight (Burda et al. 2016, arXiv:1509.00519, eq. 8), summed in float64."""
        return self.log_weights(x, draws, rng).double().logsumexp(0) - log(draws)
