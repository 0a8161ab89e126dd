"""Stacked denoising autoencoder (Vincent et al. 2010, JMLR 11:3371): layer by layer, then all together."""

from functools import partial
from itertools import pairwise
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from genpipe.interfaces.phases import Batch, Phase
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Logs, Scalar
from genpipe.nn.corruption import Corruption, corrupted
from genpipe.nn.tied import Tied, TiedAutoencoder, flat


class StackedDenoisingAE(TiedAutoencoder):
    """Each layer first learns to clean the codes of the layers below it, which stay as they are; section 3.5.

    Afterwards the whole net is tuned end to end on clean images. With pretraining_share 0 it is the same net from
    random weights.
    """

    class Config(Corruption, Tied):
        widths: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)] = [256, 64]
        pretraining_share: Annotated[float, Field(ge=0, le=1)] = 0.5
        """Of the steps; the layers have equal parts of it."""

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.config = config

    def phases(self) -> list[Phase]:
        share, count = self.config.pretraining_share, len(self.layers)
        parts = pairwise(share * k / count for k in range(count + 1))
        pretraining = [
            Phase("pretraining", layer, partial(self.layer_loss, k), during=part)
            for k, (layer, part) in enumerate(zip(self.layers, parts, strict=True))
        ]
        return [*pretraining, Phase("finetuning", self, self.loss, during=(share, 1.0))]

    def layer_loss(self, k: int, batch: Batch) -> tuple[Scalar, Logs]:
        """Cross-entropy of the code h under layer k and its reconstruction from the corrupted h̃, in nats; eq. 5."""
        h = self._below(k, batch)
        layer = self.layers[k]
        logits = layer.back_logits(layer(corrupted(h, self.config, low=0.0)))  # type: ignore[operator]
        nats = binary_cross_entropy_with_logits(logits, h, reduction="sum") / len(h)
        return nats, {f"layer_{k + 1}_nats": nats.detach()}

    @torch.no_grad()
    def _below(self, k: int, batch: Batch) -> Float[Tensor, "b i"]:
        h = flat(batch.x)
        for layer in self.layers[:k]:
            h = layer(h)
        return h
