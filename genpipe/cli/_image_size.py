"""Sizes of images on the command line."""

import re

from genpipe.errors import UsageError
from genpipe.interfaces.spec import ImageSize, image_size

_WRITTEN = re.compile(r"(\d{1,6})(?:x(\d{1,6}))?")


def parsed(text: str) -> ImageSize:
    """Returns the size in pixels that "32" or "24x32" (height, width) means. Raises UsageError for anything else."""
    found = _WRITTEN.fullmatch(text)
    try:
        return image_size([int(found[1]), int(found[2] or found[1])] if found else text)
    except ValueError:
        raise UsageError(f"'{text}' is no size; give pixels from 1, as 32, or HEIGHTxWIDTH, as 24x32.") from None


def written(size: ImageSize) -> int | list[int]:
    """Returns a size as YAML and JSON have it."""
    return size if isinstance(size, int) else list(size)
