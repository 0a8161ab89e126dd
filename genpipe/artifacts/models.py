"""A finished model on disk: weights as safetensors and what is needed to build it; loading runs no code of a file."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from genpipe import paths, registry
from genpipe.config.data_spec import spec_from_json, spec_to_json
from genpipe.config.document import Document
from genpipe.config.project import Experiment
from genpipe.config.validation import described, validated
from genpipe.errors import CheckpointError, ConfigError, UnknownName, Unsuitable
from genpipe.files import atomic_directory, atomic_file, opened, write_json
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.spec import DataSpec
from genpipe.schema import Strict

_OWN = partial(registry.load, "models")


def save_weights(module: nn.Module, path: Path) -> None:
    """Writes the weights and buffers of a module."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    with atomic_file(path) as temporary:
        save_file(tensors, temporary)


def built(kind: Any, config: Strict, spec: DataSpec, weights: Path, remedy: str | None = None) -> Any:
    """A model or classifier with the weights in a file; it takes no memory before these are known to fit.

    Raises CheckpointError if the file is missing, damaged or of another net, Unsuitable if the part does.
    """
    remedy = remedy or f"Delete {weights.parent} and run `dvc repro`."
    try:
        opened(weights).close()  # no pipe, which would be waited for
        tensors = load_file(weights)
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"the weights in {weights} cannot be read: {_brief(error)} {remedy}") from None
    needed = registry.outline(kind, config, spec).state_dict()
    if name := next((name for name in {**needed, **tensors} if not alike(needed.get(name), tensors.get(name))), None):
        held, wanted = in_words(tensors.get(name)), in_words(needed.get(name))
        raise CheckpointError(f"{weights} does not fit: of '{name}' it has {held}, where {wanted} is needed. {remedy}")
    made = kind(config, spec)
    made.load_state_dict(tensors)
    return made


def alike(a: Tensor | None, b: Tensor | None) -> bool:
    """Whether both are there, of the same type and shape."""
    return a is not None and b is not None and (a.dtype, a.shape) == (b.dtype, b.shape)


def in_words(tensor: Tensor | None) -> str:
    """The type and the shape of a tensor: "float32 [3, 4]"."""
    return "nothing" if tensor is None else f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def save_model(model: Generative, name: str, config: Strict, spec: DataSpec, folder: Path | str) -> None:
    """Writes a finished model into a folder, which it replaces."""
    with atomic_directory(Path(folder)) as temporary:
        save_weights(model, temporary / "model.safetensors")
        said = {"model": name, "config": config.model_dump(mode="json"), "data_spec": spec_to_json(spec)}
        write_json(temporary / "model.json", said)


def accelerator() -> torch.device:
    """A GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_model(
    folder: Path | str, *, kind_of: Callable[[str], Any] = _OWN, remedy: str | None = None
) -> tuple[Generative, DataSpec]:
    """A finished model in evaluation mode, on a GPU where there is one, and the images it was made for.

    `kind_of` gives the class of a model, `remedy` says what to do about a model that no pipeline makes anew. Raises
    CheckpointError if there is none, or if it is damaged.
    """
    folder = Path(folder)
    try:
        said, document = described(_Described, folder / "model.json")
        spec = spec_from_json(document)
        model_class = _model_class(said.model, kind_of, document)
        config = validated(model_class.Config, said.config, ("config",), document)
        model: Generative = built(model_class, config, spec, folder / "model.safetensors", remedy)
    except FileNotFoundError:
        raise CheckpointError(f"{folder} holds no model. {remedy or 'Run `dvc repro` to train it.'}") from None
    except (ConfigError, Unsuitable) as error:
        told = error if isinstance(error, ConfigError) else f"{folder}/model.json: {error}"
        raise CheckpointError(f"{told} {remedy or f'Delete {folder} and run `dvc repro`.'}") from None
    return model.eval().to(accelerator()), spec


def load_trained(root: Path, experiment: Experiment) -> Generative:
    """The finished model of an experiment, with the options of its `sample`. Raises CheckpointError."""
    model, _ = load_model(root / paths.model(experiment.name))
    model.sampling = experiment.knobs.sample
    return model


class _Described(Strict):
    """What model.json says."""

    model: str
    config: dict[str, Any]
    data_spec: dict[str, Any]


def _model_class(name: str, kind_of: Callable[[str], Any], document: Document) -> type[Generative]:
    try:
        found: type[Generative] = kind_of(name)
    except UnknownName as error:
        raise ConfigError([document.problem(("model",), str(error))]) from None
    return found


def _brief(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".: ") + "."
