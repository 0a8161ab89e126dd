"""A finished model on disk: weights as safetensors and what is needed to build it; loading runs no code of a file."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from genpipe import registry
from genpipe.errors import CheckpointError, GenpipeError
from genpipe.files import opened, read_json, whole_file, whole_folder, write_json
from genpipe.interfaces import Generative, ImageSpec
from genpipe.schema import Strict


def save_weights(module: nn.Module, path: Path) -> None:
    """Writes the weights and buffers of a module."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    with whole_file(path) as temporary:
        save_file(tensors, temporary)


def load_weights(module: nn.Module, path: Path) -> None:
    """Reads what `save_weights` wrote. Raises CheckpointError if the file is missing, damaged or of another net."""
    try:
        opened(path).close()
        module.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise CheckpointError(
            f"the weights in {path} cannot be used: {_brief(error)} Delete {path.parent} and run `dvc repro`."
        ) from None


def save_model(model: Generative, system: str, config: Strict, spec: ImageSpec, folder: Path) -> None:
    """Writes a finished model into a folder, which it replaces."""
    with whole_folder(folder) as temporary:
        save_weights(model, temporary / "model.safetensors")
        described = {"system": system, "config": config.model_dump(mode="json"), "images": asdict(spec)}
        write_json(temporary / "model.json", described)


def accelerator() -> torch.device:
    """A GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_model(folder: Path) -> tuple[Generative, ImageSpec]:
    """A finished model in evaluation mode, on a GPU where there is one, and the images it was made for.

    Raises CheckpointError if there is none, or if it is damaged.
    """
    described = _description(folder / "model.json")
    spec = ImageSpec.from_json(described["images"])
    system = registry.load("models", described["system"])
    try:
        model: Generative = system(system.Config(**described["config"]), spec)
    except (ValueError, GenpipeError) as error:
        raise CheckpointError(f"{folder}/model.json does not fit the system any more: {_brief(error)}") from None
    load_weights(model, folder / "model.safetensors")
    return model.eval().to(accelerator()), spec


def _description(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent} holds no model. Run `dvc repro` to train it.") from None
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}. Delete {path.parent} and run `dvc repro`.") from None


def _brief(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".: ") + "."
