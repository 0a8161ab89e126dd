from typing import Any

import numpy as np
import torch

from genpipe.analyses.code_sparsity import CodeSparsity
from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.generative import Encodes, Generative
from genpipe.interfaces.tensors import Codes, Images


class Pixels(Generative, Encodes):
    """The code of an image is its brightness above black, pixel by pixel, on some scale."""

    class Config: ...

    def __init__(self, scale: float) -> None:
        torch.nn.Module.__init__(self)
        self.register_buffer("scale", torch.tensor(scale))

    def phases(self) -> list:
        return []

    def encode(self, x: Images) -> Codes:
        return self.scale * (x + 1).flatten(1)


def test_silent_and_dead_units_are_counted_whatever_their_scale(make: Any) -> None:
    images = np.zeros((40, 1, 8, 8), np.uint8)
    images[:, 0, 0] = 200
    images[:20, 0, 1] = 100
    made = make(images, images, images)
    for scale in (1.0, 1e-3):
        found = CodeSparsity(CodeSparsity.Config()).run(AnalysisContext(Pixels(scale), made.samples, made.real, 0))
        assert found.numbers == {"code_sparsity": 1 - 1.5 / 8, "code_dead_share": 6 / 8}
        assert found.pictures["code_sparsity"][0].shape == (640, 960, 3)
