"""The interface of derivations: fields that are made of the images of a data set, whatever their source."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from jaxtyping import UInt8

from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.schema import Strict


class Derivation(ABC):
    """A field made of images; its name is that of the file. It is built from its own `Config` and a DataSpec."""

    Config: ClassVar[type[Strict]]
    random: ClassVar[bool] = False
    """Whether it is drawn: once for each held-out image, and anew for each training batch."""
    field: FieldSpec
    """The description of the field."""

    @abstractmethod
    def __init__(self, config: Any, spec: DataSpec) -> None:
        """Raises Unsuitable if it cannot be made of such images; the message says what to change."""

    @abstractmethod
    def rows(self, images: UInt8[np.ndarray, "n c h w"], rngs: Sequence[np.random.Generator]) -> np.ndarray:
        """Returns the field [n, *field.shape] as it is stored: uint8 of images and masks.

        A row depends on its image alone and, if the field is random, on the image's generator in `rngs`.
        """
