"""An extractor on disk, as the stage `reference` stores it: what tells it from others, and weights if it has some."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from genpipe import registry
from genpipe.artifacts.models import accelerator, built
from genpipe.config.data_spec import spec_from_json
from genpipe.config.validation import described, validated
from genpipe.errors import CheckpointError, GenpipeError
from genpipe.interfaces.extractors import Extractor
from genpipe.interfaces.phases import Trainable
from genpipe.interfaces.spec import DataSpec
from genpipe.schema import Strict

ABOUT, WEIGHTS = "about.json", "weights.safetensors"


def load_extractor(folder: Path | str) -> tuple[Extractor, Mapping[str, Any]]:
    """An extractor that was stored with a reference, and what tells it from another.

    Raises CheckpointError, Unsuitable or WeightsMissing.
    """
    folder = Path(folder)
    try:
        about, document = described(About, folder / ABOUT)
        name = validated(_Named, about.described, ("described",), document).extractor
        spec = spec_from_json(document)
        config = validated(registry.load("extractors", name).Config, about.config, ("config",), document)
    except (OSError, GenpipeError) as error:
        raise CheckpointError(f"{folder} holds no extractor ({error}) Give a folder of runs/reference.") from None
    return built_extractor(name, config, spec, folder), about.described


class About(Strict):
    """What about.json says of an extractor."""

    key: str
    described: dict[str, Any]
    config: dict[str, Any]
    data_spec: dict[str, Any]


class _Named(Strict):
    """What tells an extractor from others begins with its name."""

    model_config = ConfigDict(extra="ignore")
    extractor: str


def built_extractor(name: str, config: Strict, spec: DataSpec, folder: Path) -> Extractor:
    """An extractor, with the weights in a folder if it was trained.

    Raises CheckpointError, Unsuitable or WeightsMissing.
    """
    kind = registry.load("extractors", name)
    if not issubclass(kind, Trainable):
        return kind(config, spec)
    made: Extractor = built(kind, config, spec, folder / WEIGHTS).to(accelerator())
    return made
