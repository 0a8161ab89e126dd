"""The base of everything that comes from YAML."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Immutable, complete and free of surprises: an unknown key, a wrong type or a NaN is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
