"""The description of the data that a model is built for."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Literal

from genpipe.errors import shortened

ImageSize = int | tuple[int, int]
"""The side of square images, or the height and the width of others, in pixels."""
Kind = Literal["image", "label_map", "mask", "tokens", "attributes", "class", "number", "frames"]
"""What a field is, which decides how it is stored and what tensor a batch has of it: see `FieldSpec`."""
FIELD_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$"
"""What the name of a field may be, as it is a part of the names of files."""
Kinds = Kind | tuple[Kind, ...]
"""One kind of field, or any of several."""
VOID_LABEL = "void"
"""The name of the last label of a map, if it stands for pixels that have none."""
_SIDES = {"left", "right"}


@dataclass(frozen=True)
class FieldSpec:
    """The description of a field, which every item of a data set has beside its image `x`."""

    kind: Kind
    shape: tuple[int, ...] = ()
    """Of one item: image (c, h, w), frames (t, c, h, w), label_map (h, w), mask (1, h, w), tokens (length,),
    attributes (k,), class (); number: any shape."""
    size: int = 0
    """The number of labels of a class or a label map, or the length of the vocabulary of tokens."""
    names: tuple[str, ...] = ()
    """The labels, the attributes or the words of the vocabulary, in the order of their numbers, if they have names.

    Of attributes "kind=disc" and "kind=square" an image has exactly one.
    """

    @property
    def image_shaped(self) -> bool:
        """Whether the last two axes are the height and the width of the image."""
        return self.kind in ("image", "label_map", "mask", "frames")

    @property
    def values(self) -> int:
        """The number of values in an item."""
        return prod(self.shape)

    @property
    def labels(self) -> tuple[str, ...]:
        """The name of each label or attribute; its number if they have none."""
        return self.names or tuple(map(str, range(self.size or self.values)))

    @property
    def names_sides(self) -> bool:
        """Whether it is text that may speak of left and right, so that a mirrored image makes it false."""
        return self.kind == "tokens" and not _SIDES.isdisjoint(map(str.lower, self.names))

    def resized(self, height: int, width: int) -> "FieldSpec":
        """Returns the description of the field for images of this height and width."""
        return replace(self, shape=(*self.shape[:-2], height, width)) if self.image_shaped else self


@dataclass(frozen=True)
class DataSpec:
    """The description of the data that a model is built for: image shape, class names and fields."""

    channels: int
    height: int
    width: int
    classes: tuple[str, ...] = ()
    levels: int = 256
    """The number of brightness levels; 2 for binarized images, which have only 0 and 255."""
    untrained: tuple[int, ...] = ()
    """The indices of classes without training images; they are neither generated nor scored."""
    fields: Mapping[str, FieldSpec] = field(default_factory=dict, hash=False)
    """What every item has beside its image and its class, by name."""

    @property
    def trained(self) -> tuple[int, ...]:
        """The indices of classes with training images."""
        return tuple(number for number in range(len(self.classes)) if number not in self.untrained)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.channels, self.height, self.width

    @property
    def image_size(self) -> ImageSize:
        """The side of the images in pixels, or their (height, width)."""
        return image_size((self.height, self.width))

    @property
    def factors(self) -> tuple[str, ...]:
        """The names of fields with one value per image: classes and single numbers."""
        return tuple(name for name, one in self.fields.items() if one.kind in ("class", "number") and not one.shape)

    @property
    def values(self) -> int:
        """The number of values in an image."""
        return self.channels * self.height * self.width


def sides(size: ImageSize) -> tuple[int, int]:
    """Returns the height and the width in pixels."""
    return (size, size) if isinstance(size, int) else size


def image_size(given: Any) -> ImageSize:
    """Returns the size that a number or [height, width] means; equal sides are one number. Raises ValueError."""
    both = given if isinstance(given, list | tuple) else [given, given]
    if len(both) != 2 or any(type(side) is not int or side < 1 for side in both):
        raise ValueError(f"should be pixels from 1, or [height, width] in pixels, but {shortened(str(given))} is given")
    height, width = both
    return height if height == width else (height, width)
