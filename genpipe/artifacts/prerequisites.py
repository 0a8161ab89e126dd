"""What an experiment needs before it trains: the hashes by which a change is noticed, and the handing over."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from genpipe import paths
from genpipe.artifacts.extractors import ABOUT, About, load_extractor
from genpipe.artifacts.models import load_model
from genpipe.config.prerequisites import files, needed
from genpipe.config.project import Experiment, Project
from genpipe.config.validation import described
from genpipe.errors import CheckpointError, ConfigError, InputsChanged, PartError
from genpipe.files import read_json
from genpipe.interfaces.prerequisites import HasPrerequisites


def digests(project: Project, experiment: Experiment) -> dict[str, str]:
    """The SHA-256 of each extractor and model that an experiment needs, by its place; nothing if it needs none.

    Raises CheckpointError if one is not there yet.
    """
    return {place: _digest(project.root / place, experiment.name) for place in _places(experiment)}


def provide(project: Project, experiment: Experiment, model: nn.Module, device: torch.device) -> None:
    """Gives a model that is about to be trained what it needs, on its device.

    Raises CheckpointError if something is not there, InputsChanged if it is not what DVC knows of, PartError if the
    model has other weights because of it, Unsuitable if the model cannot use it.
    """
    if not isinstance(model, HasPrerequisites):
        return
    wanted, root = needed(experiment), project.root
    before = digests(project, experiment)
    kept = root / paths.reference(experiment.data.name)
    extractors = {name: _frozen(load_extractor(kept / name)[0], device) for name in wanted.extractors}
    models = {name: _frozen(load_model(root / paths.model(name))[0], device) for name in wanted.experiments}
    if moved := list(_moved(project, experiment, before)):
        raise InputsChanged(f"train@{experiment.name}", moved)
    weights = model.state_dict().keys()
    model.use(extractors, models)
    if others := sorted(model.state_dict().keys() ^ weights):
        raise PartError(
            f"{experiment.model_name} has other weights once `use` was called ({others[0]}, for one), so that it could "
            "not be loaded: keep what it is given in a tuple, or copy the weights into modules that __init__ makes."
        )


def _places(experiment: Experiment) -> list[str]:
    return files(experiment.data.name, needed(experiment))


def _digest(folder: Path, name: str) -> str:
    """The SHA-256 of a finished model, or of an extractor without what was seen with it."""
    found = hashlib.sha256()
    try:
        about = folder / ABOUT
        found.update(_told(about) if about.exists() else (folder / "model.json").read_bytes())
        for weights in sorted(folder.glob("*.safetensors")):
            found.update(weights.read_bytes())
    except (OSError, ConfigError) as error:
        told = f"{folder} cannot be read ({error}), and {name} needs it before it trains"
        raise CheckpointError(f"{told}. Run `dvc repro train@{name}`, which makes it first.") from None
    return found.hexdigest()


def _told(file: Path) -> bytes:
    """What decides what an extractor sees, besides its weights; the rest says of which images it was asked."""
    about, _ = described(About, file)
    tells = {key: value for key, value in about.described.items() if key != "extractor_accuracy"}
    return json.dumps([about.config, about.data_spec, tells], sort_keys=True).encode()


def _moved(project: Project, experiment: Experiment, before: dict[str, str]) -> Iterator[str]:
    """What there is to say of what has changed since it was noted for DVC, or while it was read."""
    noted: Any = before
    if (file := project.root / paths.prerequisites(experiment.name)).exists():
        noted = read_json(file)
    now = digests(project, experiment)
    for place in now:
        if not now[place] == before[place] == noted.get(place):
            yield f"{place} has changed"


def _frozen(part: Any, device: torch.device) -> Any:
    """A finished model or extractor as it is handed on; an extractor that was not trained is no module."""
    return part.to(device).requires_grad_(False).eval() if isinstance(part, nn.Module) else part
