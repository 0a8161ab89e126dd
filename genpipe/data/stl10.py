"""13,000 labeled photographs of ten things, 96×96 in color (download of 2.5 GB)."""

from typing import Any

from genpipe.dataset.torchvision_sets import Part, Torchvision, arrays
from genpipe.schema import Strict


class STL10(Torchvision):
    """Coates et al. 2011: 5,000 training and 8,000 test images; the 100,000 unlabeled ones are not used."""

    class Config(Strict): ...

    classes = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
    channels = 3
    wanted = ({"split": "train"}, {"split": "test"})

    def part(self, dataset: Any) -> Part:
        return arrays(dataset.data.transpose(0, 2, 3, 1), dataset.labels)
