"""The description of the data that a model is built for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DataSpec:
    """The description of the data that a model is built for: image shape and class names."""

    channels: int
    height: int
    width: int
    classes: tuple[str, ...] = ()
    levels: int = 256
    """The number of brightness levels; 2 for binarized images, which have only 0 and 255."""
    untrained: tuple[int, ...] = ()
    """The indices of classes without training images; they are neither generated nor scored."""

    @property
    def trained(self) -> tuple[int, ...]:
        """The indices of classes with training images."""
        return tuple(number for number in range(len(self.classes)) if number not in self.untrained)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.channels, self.height, self.width

    @property
    def values(self) -> int:
        """The number of values in an image."""
        return self.channels * self.height * self.width
