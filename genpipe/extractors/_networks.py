"""What extractors that are networks share: batches, device, precision, and what becomes of pixels before them."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Annotated, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from pydantic import Field
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2.functional import resize

from genpipe.errors import Unsuitable
from genpipe.interfaces.extractors import Extractor, FeatureSet
from genpipe.interfaces.spec import DataSpec
from genpipe.nn.multi_device import spread, wanted_devices
from genpipe.schema import Strict

FETCHED_TOGETHER = 16
"""Batches; a GPU has to come to rest before anything can be fetched from it."""
Pixels = UInt8[Tensor, "b c h w"]
Seen = tuple[Float[Tensor, "b d"], Float[Tensor, "b k"] | None]
"""Features, and logits where there are classes."""


class Knobs(Strict):
    """What every network can be told."""

    batch_size: Annotated[int, Field(ge=1)] = 32
    """Images that go through the network at a time; their features do not depend on it."""


class Network(nn.Module, Extractor):
    """An extractor that is a network. It works on a GPU where there is one."""

    batch_size: int

    @abstractmethod
    def seen(self, pixels: Pixels) -> Seen:
        """What the network makes of a batch."""

    def extract(self, images: UInt8[np.ndarray, "n c h w"]) -> FeatureSet:
        self.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        step = FETCHED_TOGETHER * self.batch_size
        groups = [images[start : start + step] for start in range(0, len(images), step)]
        features, probabilities = zip(*spread(self._looked, groups, wanted_devices()), strict=True)
        return FeatureSet(
            images, np.concatenate(features), None if probabilities[0] is None else np.concatenate(probabilities)
        )

    def _looked(self, group: UInt8[np.ndarray, "n c h w"]) -> tuple[np.ndarray, np.ndarray | None]:
        """Features and class probabilities of batches that are fetched together."""
        device = next(chain(self.parameters(), self.buffers())).device
        batches = (group[first : first + self.batch_size] for first in range(0, len(group), self.batch_size))
        with torch.inference_mode(), whole_float32():
            seen = [self.seen(_moved(batch, device)) for batch in batches]
            features = _joined([z.float() for z, _ in seen])
            known = [logits.cpu().double().softmax(1).float() for _, logits in seen if logits is not None]
        return features, _joined(known) if known else None


class Preparation(nn.Module):
    """Pixels as a network wants them: resized with an antialiased filter, scaled to [0, 1] and normalized."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, size: int | None, kind: Literal["bilinear", "bicubic"], mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        self.size, self.kind, self.normalization = size, kind, (list(mean), list(std))
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("std", torch.tensor(std)[:, None, None])

    def forward(self, pixels: Pixels) -> Float[Tensor, "b channels height width"]:
        if self.size:
            pixels = resize(pixels, [self.size, self.size], InterpolationMode(self.kind), antialias=True)
        return (in_channels(pixels, len(self.mean)).float() / 255 - self.mean) / self.std

    def described(self) -> Mapping[str, object]:
        """How pixels are resized and scaled, in words."""
        resizer = f"{self.kind}, antialiased, to {self.size}×{self.size}, rounded to uint8" if self.size else "none"
        return {"resizer": resizer, "values": "(x / 255 − {}) / {}".format(*self.normalization)}


def in_channels(x: Tensor, channels: int) -> Tensor:
    """Images in as many channels as a network wants: a gray one is repeated."""
    return x.expand(-1, channels, -1, -1)


def require_colors(spec: DataSpec, channels: int = 3) -> None:
    """Raises Unsuitable if such images cannot be given so many channels."""
    if spec.channels not in (1, channels):
        raise Unsuitable(f"the extractor wants images of {channels} channels or one, and these have {spec.channels}.")


@contextmanager
def whole_float32() -> Iterator[None]:
    """Float32 in full also on a GPU, which rounds factors to 10 bits otherwise (TF32): scores are those of a CPU."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def _moved(batch: np.ndarray, device: torch.device) -> Tensor:
    """A batch on the device; a GPU fetches it while it is busy with the batches before."""
    pixels = torch.from_numpy(np.array(batch))
    return pixels.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else pixels


def _joined(parts: list[Tensor]) -> Float[np.ndarray, "n d"]:
    return torch.cat([part.cpu() for part in parts]).numpy()
