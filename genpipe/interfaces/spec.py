"""What a model knows of its data before it sees any."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DataSpec:
    """What a model knows of its data before it sees any: the shape of an image and the names of the classes."""

    channels: int
    height: int
    width: int
    classes: tuple[str, ...] = ()
    levels: int = 256
    """Of brightness; 2 where images are binarized: 0 and 255 alone."""
    untrained: tuple[int, ...] = ()
    """The numbers of the classes of which there is no training image; they are neither drawn nor scored."""

    @property
    def trained(self) -> tuple[int, ...]:
        """The numbers of the classes of which there are training images."""
        return tuple(number for number in range(len(self.classes)) if number not in self.untrained)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.channels, self.height, self.width

    @property
    def values(self) -> int:
        """How many numbers an image has."""
        return self.channels * self.height * self.width
