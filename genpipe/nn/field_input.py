"""Fields of a batch as channels that a convolution can read."""

from jaxtyping import Float
from torch import Tensor

from genpipe.errors import Unsuitable
from genpipe.interfaces.spec import DataSpec, FieldSpec, Kind
from genpipe.nn.spatial_modulation import one_hot

KINDS: tuple[Kind, ...] = ("image", "label_map", "mask")
"""The kinds of fields that have channels."""


def channel_count(spec: FieldSpec) -> int:
    """Returns the number of channels of a field: those of an image, one for each label of a map, one for a mask."""
    return spec.size if spec.kind == "label_map" else spec.shape[0]


def channels(values: Tensor, spec: FieldSpec) -> Float[Tensor, "b c h w"]:
    """Returns rows of a field, as a batch has them, as channels: images in [-1, 1], maps and masks of 0 and 1."""
    return one_hot(values, spec.size) if spec.kind == "label_map" else values


def verify_alike(name: str, spec: DataSpec) -> None:
    """Raises Unsuitable if a field is not as high and wide as its image."""
    sides = spec.fields[name].shape[-2:]
    if sides != spec.shape[1:]:
        given = "×".join(map(str, sides))
        raise Unsuitable(
            f"the field '{name}' has {given} pixels, and its image {spec.height}×{spec.width}; both need the same size "
            "here. The model srgan enlarges images."
        )
