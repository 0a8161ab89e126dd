"""Fields of images as a source gives them, held to what it declared and made as they are stored."""

from collections.abc import Callable

import numpy as np

from genpipe.errors import DataError
from genpipe.interfaces.spec import FieldSpec

Fit = Callable[[np.ndarray, bool], np.ndarray]
"""Resizes pictures [n h w c] as their images are resized; of those that may not be mixed, the nearest pixels."""
_LAYOUTS = {
    "image": "uint8 [n h w c]",
    "frames": "uint8 [n t h w c]",
    "label_map": "whole numbers [n h w]",
    "mask": "0 and 1 [n h w]",
    "tokens": "whole numbers [n length]",
    "attributes": "0 and 1 [n k]",
    "class": "whole numbers [n]",
    "number": "numbers [n …]",
}


def stored(name: str, values: np.ndarray, spec: FieldSpec, sizes: np.ndarray, fit: Fit) -> np.ndarray:
    """Returns a field [n, *spec.shape] as it is stored; `sizes` are height and width of the images [n 2].

    Raises DataError if it is not what it was declared as.
    """
    _verify_layout(name, values, spec)
    verify_values(name, values, spec)
    if spec.image_shaped:
        _verify_sizes(name, values, spec, sizes)
    found = _in_layout(values, spec, fit)
    if found.shape[1:] != spec.shape:
        raise DataError(f"the field '{name}' has rows of shape {found.shape[1:]}; {spec.shape} was declared.")
    return np.ascontiguousarray(found)


def _in_layout(values: np.ndarray, spec: FieldSpec, fit: Fit) -> np.ndarray:
    match spec.kind:
        case "image":
            return fit(values, False).transpose(0, 3, 1, 2)
        case "frames":
            return np.stack([fit(frame, False) for frame in values.swapaxes(0, 1)], 1).transpose(0, 1, 4, 2, 3)
        case "label_map":
            return fit(values[..., None], True)[..., 0].astype(np.uint8 if spec.size <= 256 else np.int32)
        case "mask":
            return fit(values[..., None], True).transpose(0, 3, 1, 2).astype(np.uint8)
        case _:
            wide = values.dtype.kind == "u" and values.dtype.itemsize > 1
            return values.astype(np.int64) if wide else values  # PyTorch takes no rows of other unsigned numbers


def _verify_layout(name: str, values: np.ndarray, spec: FieldSpec) -> None:
    allowed = {"image": "u", "frames": "u", "number": "biufc"}.get(spec.kind, "biu")
    axes = 1 + len(spec.shape) - (spec.kind == "mask")
    bytes_needed = 1 if allowed == "u" else values.dtype.itemsize
    if values.dtype.kind not in allowed or values.ndim != axes or values.dtype.itemsize != bytes_needed:
        raise DataError(
            f"the field '{name}' came as {values.dtype} {values.shape}; of kind {spec.kind} and shape {spec.shape}, "
            f"{_LAYOUTS[spec.kind]} is needed."
        )


def verify_values(name: str, values: np.ndarray, spec: FieldSpec) -> None:
    """Raises DataError if the values of a field are none that its kind allows."""
    known = {"mask": 2, "attributes": 2, "label_map": spec.size, "tokens": spec.size, "class": spec.size}
    most = known.get(spec.kind)
    if most is not None and values.size and not 0 <= values.min() <= values.max() < most:
        raise DataError(
            f"the field '{name}' of kind {spec.kind} has values from {values.min()} to {values.max()}; whole numbers "
            f"from 0 to {most - 1} are allowed."
        )


def _verify_sizes(name: str, values: np.ndarray, spec: FieldSpec, sizes: np.ndarray) -> None:
    height, width = values.shape[2:4] if spec.kind == "frames" else values.shape[1:3]
    if other := next((size for size in sizes.tolist() if size != [height, width]), None):
        raise DataError(
            f"the field '{name}' is {width}×{height}, and its image {other[1]}×{other[0]}; give both the same size."
        )
