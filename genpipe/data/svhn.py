"""99,289 house numbers, 32×32 in color (download of 236 MB)."""

from typing import Any

from genpipe.dataset.torchvision_sets import Part, Torchvision, arrays
from genpipe.schema import Strict


class SVHN(Torchvision):
    """Netzer et al. 2011: 73,257 training and 26,032 test images; the 531,131 further ones are not used."""

    class Config(Strict): ...

    classes = tuple("0123456789")
    channels = 3
    wanted = ({"split": "train"}, {"split": "test"})

    def part(self, dataset: Any) -> Part:
        return arrays(dataset.data.transpose(0, 2, 3, 1), dataset.labels)
