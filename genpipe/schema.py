"""The base of everything that comes from YAML."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]
Images = Annotated[int, Field(ge=1, le=1_000_000)]
"""That are drawn, and lie in memory together."""


class Strict(BaseModel):
    """Immutable, complete and free of surprises: an unknown key, a wrong type or a NaN is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
