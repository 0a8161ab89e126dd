"""The network of the FID paper (TensorFlow's Inception v3 of 2015), in float32."""

from typing import ClassVar

import torch

from genpipe.extractors._inception import TensorFlowInception
from genpipe.extractors._networks import Knobs


class Inception(TensorFlowInception):
    """Its scores may be called FID, KID and Inception Score as the papers call them."""

    class Config(Knobs): ...

    precision: ClassVar[torch.dtype] = torch.float32
