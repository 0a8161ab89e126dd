"""8,189 photographs of 102 flowers, in color, some 500 pixels wide (download of 345 MB)."""

from typing import Any

from genpipe.dataset.torchvision_sets import Part, Torchvision, picture_files
from genpipe.schema import Strict


class Flowers102(Torchvision):
    """Nilsback & Zisserman 2008: 1,020 training and 6,149 test images; the 1,020 for validation are not used."""

    class Config(Strict): ...

    channels = 3
    wanted = ({"split": "train"}, {"split": "test"})

    @property
    def classes(self) -> tuple[str, ...]:
        from torchvision.datasets import Flowers102 as Known

        return tuple(Known.classes)

    def part(self, dataset: Any) -> Part:
        return picture_files(dataset._image_files, dataset._labels)
