"""70,000 pieces of clothing, 28×28 gray (download of 31 MB)."""

from typing import Any

from genpipe.dataset.torchvision_sets import Part, Torchvision, arrays
from genpipe.schema import Strict


class FashionMNIST(Torchvision):
    """Xiao et al. 2017 (arXiv:1708.07747): 60,000 training and 10,000 test images."""

    class Config(Strict): ...

    classes = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
    channels = 1

    def part(self, dataset: Any) -> Part:
        return arrays(dataset.data.numpy()[..., None], dataset.targets)
