"""A DataSpec in JSON."""

from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field

from genpipe.config.document import Document
from genpipe.config.validation import validated
from genpipe.errors import ConfigError
from genpipe.interfaces.spec import FIELD_NAME, DataSpec, FieldSpec, Kind
from genpipe.schema import Strict


class _WrittenField(Strict):
    """A FieldSpec in JSON."""

    kind: Kind
    shape: list[Annotated[int, Field(ge=1, le=65_536)]]
    size: int = Field(ge=0)
    names: list[str]


class _Written(Strict):
    """A DataSpec in JSON."""

    channels: int = Field(ge=1, le=1024)
    height: int = Field(ge=1, le=65_536)
    width: int = Field(ge=1, le=65_536)
    classes: list[str]
    levels: int = Field(ge=2, le=256)
    untrained: list[Annotated[int, Field(ge=0)]] = []
    fields: dict[Annotated[str, Field(pattern=FIELD_NAME)], _WrittenField] = {}


def spec_to_json(spec: DataSpec) -> dict[str, Any]:
    """Returns what is written under `data_spec` of a JSON file; `fields` is left out if there are none."""
    return {name: value for name, value in asdict(spec).items() if name != "fields" or value}


def spec_from_json(document: Document) -> DataSpec:
    """What `spec_to_json` gave, from under `data_spec` of a JSON file. Raises ConfigError if it is no such."""
    found = validated(_Written, document.mapping("data_spec"), ("data_spec",), document)
    if max(found.untrained, default=-1) >= len(found.classes):
        raise ConfigError([document.problem(("data_spec", "untrained"), "there are not so many classes.")])
    classes, untrained = tuple(found.classes), tuple(found.untrained)
    fields = {
        name: FieldSpec(one.kind, tuple(one.shape), one.size, tuple(one.names)) for name, one in found.fields.items()
    }
    return DataSpec(found.channels, found.height, found.width, classes, found.levels, untrained, fields)
