"""In-domain classifier: a small convolutional net trained on the data set's own labels."""

from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float, UInt8
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from genpipe.errors import Unsuitable
from genpipe.interfaces.extractors import Extractor, FeatureSet
from genpipe.interfaces.features import HasFeatures
from genpipe.interfaces.phases import Batch, Phase, Trainable
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Images, Logs, Scalar
from genpipe.nn.pixel_range import to_model
from genpipe.nn.weights import digest
from genpipe.schema import Strict

Size = Annotated[int, Field(ge=1)]


class Classifier(Trainable, Extractor, HasFeatures):
    """Convolutions and max pooling after LeNet-5 (LeCun et al. 1998), then a hidden layer: the features of the scores.

    It learns from randomly shifted images; classes without training images have the probability 0. Raises Unsuitable if
    fewer than two classes have any.
    """

    class Config(Strict):
        channels: Annotated[list[Size], Field(min_length=1)] = [16, 32]
        """Of the convolutions; each is followed by a halving of the image."""
        features: Size = 128
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
        shift_pixels: Annotated[int, Field(ge=0)] = 2

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__()
        if len(spec.trained) < 2:
            raise Unsuitable(
                "the in-domain classifier needs labeled training images of at least two classes, and this data set "
                f"has {f'those of {len(spec.trained)}' if spec.trained else 'none'}."
            )
        self.untrained = list(spec.untrained)
        self.shift_pixels = config.shift_pixels
        convolutions = [_convolution(i, o) for i, o in pairwise([spec.channels, *config.channels])]
        left = (spec.height >> len(config.channels)) * (spec.width >> len(config.channels))
        if not left:
            raise Unsuitable(f"{len(config.channels)} halvings leave nothing of {spec.height}×{spec.width} pixels.")
        self.body = nn.Sequential(
            *convolutions, nn.Flatten(), nn.Linear(config.channels[-1] * left, config.features), nn.ReLU()
        )
        self.head = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(config.features, len(spec.classes)))
        self.to(memory_format=torch.channels_last)  # twice as fast

    def phases(self) -> list[Phase]:
        return [Phase("classifier", self, self.loss)]

    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Cross-entropy in nats."""
        assert batch.y is not None, "a classifier was given a batch without labels"
        return cross_entropy(self._logits(self.body(self._shifted(batch.x))), batch.y), {}

    def extract(self, images: UInt8[np.ndarray, "n c h w"]) -> FeatureSet:
        self.eval()
        features, probabilities = [], []
        with torch.inference_mode():
            for chunk in torch.from_numpy(np.array(images)).split(500):
                features.append(self.body(to_model(chunk.to(self.device))))
                probabilities.append(self._logits(features[-1]).softmax(1))
        return FeatureSet(images, _joined(features), _joined(probabilities))

    def features(self, x: Images) -> list[Tensor]:
        outputs = accumulate(self.body, lambda h, layer: layer(h), initial=x)
        return [h for h in outputs if h is not x]

    def described(self) -> Mapping[str, object]:
        return {"weights_sha256": digest(self), "resizer": "none", "values": "x / 127.5 − 1", "precision": "float32"}

    def _logits(self, features: Float[Tensor, "b d"]) -> Float[Tensor, "b k"]:
        logits = self.head(features)
        if self.untrained:
            logits[:, self.untrained] = -torch.inf
        return logits

    def _shifted(self, x: Images) -> Images:
        """Each image moved by up to shift_pixels in both directions, its border repeated."""
        s = self.shift_pixels
        if not s:
            return x
        b, _, h, w = x.shape
        padded = nn.functional.pad(x, (s, s, s, s), mode="replicate")
        dy, dx = torch.randint(0, 2 * s + 1, (2, b, 1), device=x.device)
        rows = (torch.arange(h, device=x.device) + dy)[:, None, :, None]
        columns = (torch.arange(w, device=x.device) + dx)[:, None, None, :]
        channels = torch.arange(x.shape[1], device=x.device)[None, :, None, None]
        return padded[torch.arange(b, device=x.device)[:, None, None, None], channels, rows, columns]


def _convolution(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 5, padding=2), nn.MaxPool2d(2), nn.ReLU())


def _joined(parts: list[Tensor]) -> Float[np.ndarray, "n d"]:
    return torch.cat(parts).float().cpu().numpy()
