"""The tensor types of models' inputs and outputs."""

from collections.abc import Mapping

from jaxtyping import Float, Int
from torch import Tensor

Images = Float[Tensor, "b c h w"]
Codes = Float[Tensor, "b d"]
Labels = Int[Tensor, "b"]
Scalar = Float[Tensor, ""]
Logs = Mapping[str, Tensor]
"""Further scalars of a loss, by name, left on the device."""
