"""70,000 handwritten Japanese characters, 28×28 gray (download of 21 MB)."""

from typing import Any

from genpipe.dataset.torchvision_sets import Part, Torchvision, arrays
from genpipe.schema import Strict


class KMNIST(Torchvision):
    """Clanuwat et al. 2018 (arXiv:1812.01718): 60,000 training and 10,000 test images."""

    class Config(Strict): ...

    classes = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    channels = 1

    def part(self, dataset: Any) -> Part:
        return arrays(dataset.data.numpy()[..., None], dataset.targets)
