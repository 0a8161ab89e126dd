"""The network of the FID paper in bfloat16: faster, and its figures are none of the paper's."""

from typing import ClassVar

import torch

from genpipe.extractors._inception import TensorFlowInception
from genpipe.extractors._networks import Knobs


class InceptionBF16(TensorFlowInception):
    """Features differ by some per cent from those in float32: compare its scores with one another only."""

    class Config(Knobs): ...

    precision: ClassVar[torch.dtype] = torch.bfloat16
