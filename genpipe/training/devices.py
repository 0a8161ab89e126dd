"""The device that a process trains on, and what it does together with the other processes of its training.

Every process has a device, takes its part of each batch, and averages its gradients with the others; alone, a process
does nothing of that. Each has all the weights, or keeps a part of them (see sharding.py). The first alone writes.
"""

import os
import warnings
from collections.abc import Iterable
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import SingleDeviceStrategy
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from genpipe.data._batches import Batches
from genpipe.data._storage import Prepared
from genpipe.errors import TrainingError
from genpipe.interfaces import Trainable
from genpipe.training.checkpoints import fresh_random_states
from genpipe.training.knobs import Strategy, Train

_RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")
"""Where torchrun, SLURM and Fabric tell a process its number."""


def first_process(train: Train) -> bool:
    """Whether this process is the one that writes; can be asked before any device is touched."""
    alone = train.devices == 1 and train.nodes == 1 and train.strategy == "auto"
    return alone or all(os.environ.get(name, "0") == "0" for name in _RANKS)


def devices(train: Train) -> Fabric:
    """The devices that a recipe asks for. Raises TrainingError if they are not there or cannot share a batch."""
    device = fabric(train.precision, train.devices, train.nodes, train.strategy)
    if train.batch_size % (device.world_size * train.accumulate_steps):
        raise TrainingError(
            f"train.batch_size {train.batch_size} cannot be divided equally: there are {device.world_size} devices and "
            f"accumulate_steps is {train.accumulate_steps}. Make it a multiple of their product."
        )
    return device


def fabric(precision: str, devices: int | str = 1, nodes: int = 1, strategy: Strategy = "auto") -> Fabric:
    """The device of this process, a GPU where there is one, with its precision; starts the other processes, if any.

    Under torchrun and SLURM they are there already. Raises TrainingError if the devices are not there.
    """
    if precision == "auto":
        precision = "bf16-mixed" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "32-true"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The `srun` command is available")  # none is needed on one device
            device = Fabric(
                accelerator="auto",
                devices=devices,
                num_nodes=nodes,
                strategy="auto" if strategy == "auto" else "ddp",
                precision=cast(Any, precision),
            )
        if not isinstance(device.strategy, SingleDeviceStrategy):
            device.launch()
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise TrainingError(f"train.devices: {devices} on {nodes} node(s) cannot be had: {error}") from None
    _as_many_as_started(device)
    return device


def _as_many_as_started(device: Fabric) -> None:
    """Raises TrainingError if torchrun started several processes and each would train alone."""
    started = int(os.environ["WORLD_SIZE"]) if torch.distributed.is_torchelastic_launched() else device.world_size
    if started != device.world_size:
        raise TrainingError(
            f"torchrun started {started} processes, but train.devices times train.nodes is {device.world_size}. "
            "Change one of the two."
        )


def verify_alike(device: Fabric, key: str) -> None:
    """Raises TrainingError if the processes do not all train the same: each has read knobs and code by itself."""
    if len(set(gathered(device, key))) > 1:
        raise TrainingError(
            "the processes of this training have read different knobs, data or code. Give all machines the same files, "
            "edit none while a training starts, and run again."
        )


def shared_batches(prepared: Prepared, model: Trainable, train: Train, seed: int, device: Fabric) -> Batches:
    """The training images in batches, as the model asks for them; this process has its part of each."""
    return Batches.of(
        prepared, size=train.batch_size, seed=seed, device=device.device, part=(device.global_rank, device.world_size),
        extras=model.extras, groups=model.groups, alternating=model.alternating,
    )  # fmt: skip


def in_step(device: Fabric, model: nn.Module) -> None:
    """Gives every process the first one's weights, and each but the first random numbers of its own."""
    if device.world_size == 1:
        return
    for tensor in model.state_dict().values():
        torch.distributed.broadcast(tensor, 0)
    if device.global_rank:
        fresh_random_states(torch.initial_seed(), device.global_rank)


def average_gradients(device: Fabric, weights: Iterable[nn.Parameter]) -> None:
    """Replaces each gradient by its mean over all processes; they travel as one vector.

    Those of weights that are cut into parts are means already.
    """
    if device.world_size == 1:
        return
    found = (weight.grad for weight in weights)
    if not (gradients := [grad for grad in found if grad is not None and not isinstance(grad, DTensor)]):
        return
    together = mean(device, torch.cat([g.flatten() for g in gradients]))
    parts = together.split([g.numel() for g in gradients])
    torch._foreach_copy_(gradients, [part.view_as(g) for part, g in zip(parts, gradients, strict=True)])


def mean(device: Fabric, values: Tensor) -> Tensor:
    """The mean over all processes, in place."""
    return values if device.world_size == 1 else cast(Tensor, device.all_reduce(values, reduce_op="mean"))


def whole(tensor: Tensor) -> Tensor:
    """The tensor itself, or all of one of which each process has a part; then all processes must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def agreed(device: Fabric, signal: int) -> int:
    """The signal that any of the processes was sent, so that all of them obey after the same step."""
    if device.world_size == 1:
        return signal
    return int(torch.tensor(gathered(device, signal)).max())


def gathered(device: Fabric, value: Any) -> list[Any]:
    """What every process gives, in their order."""
    found = [value] * device.world_size
    if device.world_size > 1:
        torch.distributed.all_gather_object(found, value)
    return found
