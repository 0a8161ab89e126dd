"""The network of the FID paper: Inception v3 as TensorFlow published it on 2015-12-05, carried over by torch-fidelity.

Its blocks and its weights are torch-fidelity's, and so are its features, within the rounding of float32. It is faster:
batch normalization is folded into the convolutions, channels lie last in memory, and images are resized by two matrix
products.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch_fidelity.feature_extractor_inceptionv3 import (
    URL_INCEPTION_V3,
    BasicConv2d,
    InceptionA,
    InceptionB,
    InceptionC,
    InceptionD,
    InceptionE_1,
    InceptionE_2,
)

from genpipe.extractors import _weights
from genpipe.extractors._networks import Knobs, Network, Pixels, Seen, in_channels, require_colors
from genpipe.interfaces.spec import DataSpec

PUBLISHED = _weights.Published(
    URL_INCEPTION_V3, "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2", 95_628_359
)
SIZE = 299
CLASSES = 1008


class TensorFlowInception(Network):
    """Features are the 2048 averages of the last block; probabilities come from the logits without their bias.

    Leaving the bias out is what TensorFlow's Inception Score did, and torch-fidelity does.
    """

    precision: ClassVar[torch.dtype]
    rows: Tensor
    columns: Tensor

    def __init__(self, config: Knobs, spec: DataSpec) -> None:
        super().__init__()
        require_colors(spec)
        self.batch_size = config.batch_size
        state = _weights.tensors(PUBLISHED)
        self.register_buffer("head", state.pop("fc.weight"))
        del state["fc.bias"]
        self.body = _folded(_loaded(state)).to(self.precision).to(memory_format=torch.channels_last)
        self.register_buffer("rows", resizing(spec.height, SIZE))
        self.register_buffer("columns", resizing(spec.width, SIZE).T.contiguous())

    def seen(self, pixels: Pixels) -> Seen:
        x = self.rows @ ((pixels.float() - 128) / 128) @ self.columns
        x = in_channels(x, 3).to(dtype=self.precision, memory_format=torch.channels_last)
        z = self.body(x).float().mean((2, 3))
        return z, z @ self.head.T

    def described(self) -> Mapping[str, object]:
        return {
            "weights": PUBLISHED.name,
            "weights_sha256": PUBLISHED.sha256,
            "resizer": f"bilinear as in TensorFlow 1, not antialiased, to {SIZE}×{SIZE}",
            "values": "(x − 128) / 128",
            "precision": str(self.precision).removeprefix("torch."),
        }


def resizing(size: int, wanted: int) -> Float[Tensor, "wanted size"]:
    """The matrix that resizes one side of an image as TensorFlow 1 did.

    Pixel i of the result lies at i·size/wanted, which is off by half a pixel, between two neighbors; none is averaged.
    """
    place = torch.arange(wanted, dtype=torch.float32) * torch.tensor(size / wanted, dtype=torch.float32)
    low = place.long()
    share = place - low
    matrix, i = torch.zeros(wanted, size), torch.arange(wanted)
    matrix[i, low] = 1 - share
    matrix[i, (low + 1).clamp_max(size - 1)] += share
    return matrix


def convolutions() -> nn.Sequential:
    """The network up to its last averages, with the names of the published weights."""
    return nn.Sequential(
        OrderedDict(
            Conv2d_1a_3x3=BasicConv2d(3, 32, kernel_size=3, stride=2),
            Conv2d_2a_3x3=BasicConv2d(32, 32, kernel_size=3),
            Conv2d_2b_3x3=BasicConv2d(32, 64, kernel_size=3, padding=1),
            MaxPool_1=nn.MaxPool2d(kernel_size=3, stride=2),
            Conv2d_3b_1x1=BasicConv2d(64, 80, kernel_size=1),
            Conv2d_4a_3x3=BasicConv2d(80, 192, kernel_size=3),
            MaxPool_2=nn.MaxPool2d(kernel_size=3, stride=2),
            Mixed_5b=InceptionA(192, pool_features=32),
            Mixed_5c=InceptionA(256, pool_features=64),
            Mixed_5d=InceptionA(288, pool_features=64),
            Mixed_6a=InceptionB(288),
            Mixed_6b=InceptionC(768, channels_7x7=128),
            Mixed_6c=InceptionC(768, channels_7x7=160),
            Mixed_6d=InceptionC(768, channels_7x7=160),
            Mixed_6e=InceptionC(768, channels_7x7=192),
            Mixed_7a=InceptionD(768),
            Mixed_7b=InceptionE_1(1280),
            Mixed_7c=InceptionE_2(2048),
        )
    )


def _loaded(state: Mapping[str, Tensor]) -> nn.Sequential:
    with torch.device("meta"):
        body = convolutions()
    body.load_state_dict(state, assign=True)
    return body.eval().requires_grad_(False)


def _folded(body: nn.Sequential) -> nn.Sequential:
    """The same network with each batch normalization multiplied into its convolution, in float64."""
    for block in body.modules():
        if isinstance(block, BasicConv2d):
            block.conv = fuse_conv_bn_eval(block.conv.double(), block.bn.double()).float()
            block.bn = nn.Identity()
    return body
