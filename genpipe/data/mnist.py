"""70,000 handwritten digits, 28×28 gray (download of 12 MB)."""

from typing import Any

from genpipe.dataset.torchvision_sets import Part, Torchvision, arrays
from genpipe.schema import Strict


class MNIST(Torchvision):
    """LeCun et al. 1998: 60,000 training and 10,000 test images."""

    class Config(Strict): ...

    classes = tuple("0123456789")
    channels = 1

    def part(self, dataset: Any) -> Part:
        return arrays(dataset.data.numpy()[..., None], dataset.targets)
