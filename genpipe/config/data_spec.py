"""A DataSpec in JSON."""

from typing import Annotated

from pydantic import Field

from genpipe.config.document import Document
from genpipe.config.validation import validated
from genpipe.errors import ConfigError
from genpipe.interfaces.spec import DataSpec
from genpipe.schema import Strict


class _Written(Strict):
    """A DataSpec in JSON."""

    channels: int = Field(ge=1, le=1024)
    height: int = Field(ge=1, le=65_536)
    width: int = Field(ge=1, le=65_536)
    classes: list[str]
    levels: int = Field(ge=2, le=256)
    untrained: list[Annotated[int, Field(ge=0)]] = []


def spec_from_json(document: Document) -> DataSpec:
    """What `dataclasses.asdict` gave, from under `images` of a JSON file. Raises ConfigError if it is no such."""
    found = validated(_Written, document.mapping("data_spec"), ("data_spec",), document)
    if max(found.untrained, default=-1) >= len(found.classes):
        raise ConfigError([document.problem(("data_spec", "untrained"), "there are not so many classes.")])
    classes, untrained = tuple(found.classes), tuple(found.untrained)
    return DataSpec(found.channels, found.height, found.width, classes, found.levels, untrained)
