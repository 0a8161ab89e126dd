"""60,000 photographs of ten things, 32×32 in color (download of 163 MB)."""

from typing import Any

from genpipe.dataset.torchvision_sets import Part, Torchvision, arrays
from genpipe.schema import Strict


class CIFAR10(Torchvision):
    """Krizhevsky 2009: 50,000 training and 10,000 test images."""

    class Config(Strict): ...

    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    channels = 3

    def part(self, dataset: Any) -> Part:
        return arrays(dataset.data, dataset.targets)
