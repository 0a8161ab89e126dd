"""The cost of an experiment: counted before it runs, or measured by its recipe."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genpipe import paths, registry
from genpipe.config.project import Experiment

if TYPE_CHECKING:
    from torch import Tensor

    from genpipe.interfaces.generative import Generative
    from genpipe.interfaces.phases import Batch


STATE = {"adam": 2, "adamw": 2, "sgd": 1, "rmsprop": 1}
"""Numbers that an optimizer keeps for each weight."""

_NAMES = {
    "optimizer": "optimizer state",
    "average": "averaged copy",
    "activations": "activations of one batch",
    "images": "training images",
}


@dataclass(frozen=True)
class Memory:
    """Bytes of the tensors that training in float32 holds at once, by what they are.

    PyTorch itself, its workspaces and the gradients of activations come on top. None: cannot be counted before it runs.
    """

    weights: int
    gradients: int
    optimizer: int
    average: int
    activations: int | None
    """Kept for the backward pass of the largest phase, for one batch."""
    images: int | None
    """The training images with the fields that the model needs; None if they are not prepared yet."""

    @property
    def total(self) -> int:
        """The sum of what is known, in bytes."""
        return sum(value or 0 for value in asdict(self).values())

    def in_words(self) -> str:
        """Returns text such as 11.1 MB (weights 436 kB, gradients 434 kB, ...)."""
        parts: Mapping[str, int | None] = asdict(self)
        counted = ", ".join(f"{_NAMES.get(name, name)} {size(value)}" for name, value in parts.items() if value)
        missing = [_NAMES.get(name, name) for name, value in parts.items() if value is None]
        unknown = f"; {' and '.join(missing)} not known yet" if missing else ""
        return f"{size(self.total)} ({counted}{unknown})"


def parameters(experiment: Experiment) -> int:
    """Returns the number of trained parameters; the model is built without memory for them."""
    return sum(parameter.numel() for parameter in _built(experiment).parameters())


def memory(root: Path, experiment: Experiment) -> Memory | None:
    """Returns the memory that training needs; None for a model that is fitted in closed form, without weights."""
    model = _built(experiment)
    if not model.phases():
        return None
    moved = [(phase.name, _bytes(phase.module.parameters())) for phase in model.phases()]
    weights = _bytes(chain(model.parameters(), model.buffers()))
    return Memory(
        weights=weights,
        gradients=_bytes(model.parameters()),
        optimizer=sum(STATE[experiment.knobs.optim[name].algorithm] * size for name, size in moved),
        average=weights if experiment.knobs.train.ema_halflife_images else 0,
        activations=_activations(model, experiment),
        images=_images(root / paths.data(experiment.data.name), set(model.fields) - experiment.data.random_fields),
    )


def _built(experiment: Experiment) -> "Generative":
    return registry.outline(registry.load("models", experiment.model_name), experiment.model, experiment.data.spec())


def _bytes(tensors: Iterable["Tensor"]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _images(folder: Path, fields: Iterable[str]) -> int | None:
    from genpipe.dataset.storage import field_file, images_file

    files = [images_file(folder, "train"), *(field_file(folder, "train", name) for name in fields)]
    return sum(file.stat().st_size for file in files) if all(file.exists() for file in files) else None


def _activations(model: "Generative", experiment: Experiment) -> int | None:
    """What autograd keeps, counted by a forward pass without numbers.

    None for a model whose loss needs numbers, or asks for what is only known of models that are there.
    """
    import torch

    from genpipe.dataset.batches import as_tensor
    from genpipe.interfaces.phases import Batch
    from genpipe.interfaces.prerequisites import HasPrerequisites

    if isinstance(model, HasPrerequisites):
        return None
    train, spec = experiment.knobs.train, experiment.data.spec()
    size = train.batch_size // train.grad_accumulation_steps
    labels = torch.zeros(size, dtype=torch.int64, device="meta") if spec.classes else None
    needed = {name: spec.fields[name] for name in model.fields}
    stored = {name: torch.zeros(size, *one.shape, dtype=torch.uint8, device="meta") for name, one in needed.items()}
    fields = {name: as_tensor(values, needed[name].kind) for name, values in stored.items()}
    batch = Batch(torch.zeros(size, *spec.shape, device="meta"), labels, fields)
    try:
        return max(_kept(model, phase, batch) for phase in model.phases())
    except RuntimeError:
        return None


def _kept(model: "Generative", phase: Any, batch: "Batch") -> int:
    """Bytes that one phase keeps for its backward pass; weights, which are there anyway, don't count."""
    from torch.autograd.graph import saved_tensors_hooks

    kept: dict[int, Tensor] = {}

    def keep(tensor: "Tensor") -> "Tensor":
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    model.requires_grad_(False)
    phase.module.requires_grad_(True)
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        phase.loss(batch)
    own = {tensor.untyped_storage()._cdata for tensor in chain(model.parameters(), model.buffers())}
    return sum(tensor.untyped_storage().nbytes() for key, tensor in kept.items() if key not in own)


def size(count: int) -> str:
    """Returns bytes as text: 12 MB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count} bytes"
