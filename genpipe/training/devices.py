"""The device of a training process, and communication with the other processes.

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

from genpipe.config.training import Strategy, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.dataset.storage import Prepared
from genpipe.errors import TrainingError
from genpipe.interfaces.phases import Trainable
from genpipe.training.checkpoints import fresh_random_states

_RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")
"""The environment variables of torchrun, SLURM and Fabric with the number of a process."""


def first_process(train: Train) -> bool:
    """Returns whether this process writes the results; works before any device is used."""
    alone = train.devices == 1 and train.nodes == 1 and train.strategy == "auto"
    return alone or all(os.environ.get(name, "0") == "0" for name in _RANKS)


def devices(train: Train) -> Fabric:
    """Returns the devices that a recipe asks for. Raises TrainingError if they are missing or cannot share a batch."""
    device = fabric(train.precision, train.devices, train.nodes, train.strategy)
    if train.batch_size % (device.world_size * train.grad_accumulation_steps):
        raise TrainingError(
            f"train.batch_size {train.batch_size} cannot be divided equally: there are {device.world_size} devices and "
            f"grad_accumulation_steps is {train.grad_accumulation_steps}. Make it a multiple of their product."
        )
    return device


def fabric(precision: str, devices: int | str = 1, nodes: int = 1, strategy: Strategy = "auto") -> Fabric:
    """Returns the device of this process (a GPU if there is one), with its precision; starts the other processes.

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
    if len(set(all_gather(device, key))) > 1:
        raise TrainingError(
            "the processes of this training have read different knobs, data or code. Give all machines the same files, "
            "edit none while a training starts, and run again."
        )


def shared_batches(prepared: Prepared, model: Trainable, train: Train, seed: int, device: Fabric) -> BatchLoader:
    """Returns the training images in batches, as the model asks for them, with this process's part of each."""
    return BatchLoader.of(
        prepared, size=train.batch_size, seed=seed, device=device.device, part=(device.global_rank, device.world_size),
        fields=model.fields, group_by=model.group_by, balance_by=model.balance_by,
    )  # fmt: skip


def broadcast_weights(device: Fabric, model: nn.Module) -> None:
    """Gives every process the weights of the first, and its own random numbers."""
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
    """Computes the mean over all processes, in place."""
    return values if device.world_size == 1 else cast(Tensor, device.all_reduce(values, reduce_op="mean"))


def full_tensor(tensor: Tensor) -> Tensor:
    """Returns the full tensor, also of one that is split over processes; then all processes must call this."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def any_signal(device: Fabric, signal: int) -> int:
    """Returns a signal that any process received, so that all of them stop after the same step."""
    if device.world_size == 1:
        return signal
    return int(torch.tensor(all_gather(device, signal)).max())


def all_gather(device: Fabric, value: Any) -> list[Any]:
    """Returns the values of all processes, in their order."""
    found = [value] * device.world_size
    if device.world_size > 1:
        torch.distributed.all_gather_object(found, value)
    return found
