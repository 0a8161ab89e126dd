"""Copies: draws training images again, as they are; the baseline that memorizes and nothing else."""

from collections.abc import Iterable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from genpipe.interfaces.generative import Generates, Generative
from genpipe.interfaces.phases import Batch, Phase
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Images
from genpipe.nn.pixel_range import to_model, to_pixels
from genpipe.schema import Strict


class Copies(Generative, Generates):
    """The empirical distribution: each kept training image is drawn equally often, with replacement.

    It shows what a score says of a model that has learned nothing and repeats everything.
    """

    class Config(Strict):
        images: Annotated[int, Field(ge=1)] = 10000
        """At most so many training images are kept; of more, a random choice (algorithm R, Vitter 1985)."""

    kept: Tensor
    count: Tensor

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.register_buffer("kept", torch.zeros(config.images, *spec.shape, dtype=torch.uint8))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    def phases(self) -> list[Phase]:
        return []

    def on_train_end(self, batches: Iterable[Batch]) -> None:
        """Keeps the first images; each later one takes the place of one of them with the chance that all be equal."""
        rng, most, seen = torch.Generator().manual_seed(0), len(self.kept), 0
        for batch in batches:
            for image in to_pixels(batch.x):
                place = seen if seen < most else int(torch.randint(seen + 1, (), generator=rng))
                if place < most:
                    self.kept[place] = image
                seen += 1
        self.count.fill_(min(seen, most))

    def sample(self, n: int, rng: torch.Generator) -> Images:
        which = torch.randint(int(self.count), (n,), generator=rng, device=rng.device)
        return to_model(self.kept[which])
