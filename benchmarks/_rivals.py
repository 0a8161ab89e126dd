"""Loops that `fit` is measured against, each written as well as its kind is usually written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from genpipe.interfaces.phases import Batch
from genpipe.nn.pixel_range import to_model

WARM_UP = 10
"""Steps before the clock starts."""
CHECKPOINT_EVERY_STEPS, HALFLIFE_IMAGES = 500, 10_000
Found = dict[str, Any]


@dataclass
class Task:
    """What is trained: a fresh model, images uint8 [n c h w], and for how long."""

    model: Any
    images: np.ndarray
    batch_size: int
    steps: int
    device: torch.device
    lr: float = 2e-4

    def adam(self, module: nn.Module, fused: bool) -> torch.optim.Optimizer:
        """The optimizer of all loops."""
        return torch.optim.Adam(module.parameters(), lr=self.lr, fused=fused or None)


def synchronized_now(device: torch.device) -> float:
    """The time in seconds when all that was asked of a device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter()


def now(device: torch.device) -> tuple[float, float]:
    """Seconds on the wall and of this process on processors, when all that was asked of a device is done."""
    return synchronized_now(device), process_time()


def speeds(task: Task, begun: tuple[float, float]) -> Found:
    """Images a second, and a second of processor time, of what has begun then and is just done."""
    wall, processor = (end - start for start, end in zip(begun, now(task.device), strict=True))
    images = task.steps * task.batch_size
    return {"speed": images / wall, "processor_speed": images / processor}


def bare_loop(task: Task, keeps: bool = True) -> Found:
    """A loop by hand that does what `fit` does on each step; without average and checkpoints, if it keeps none.

    Images lie on the device, the optimizer is fused, weights are channels_last; precision is that of `fit`.
    """
    task.model.to(task.device).to(memory_format=torch.channels_last)
    images = torch.from_numpy(task.images).to(task.device)
    half = torch.autocast(task.device.type, torch.bfloat16, enabled=task.device.type == "cuda")
    step = _step(task, half, fused=True)
    with TemporaryDirectory() as folder:
        return _timed(task, _resident(images, task), _keeping(task, step, f"{folder}/kept.pt") if keeps else step)


def _keeping(task: Task, step: Callable[[Batch], None], file: str) -> Callable[[Batch], None]:
    """The same step, after which weights are averaged, and sometimes saved."""
    live = [tensor for tensor in task.model.state_dict().values() if tensor.is_floating_point()]
    kept, decay, counted = [tensor.clone() for tensor in live], 0.5 ** (task.batch_size / HALFLIFE_IMAGES), count(1)

    def keeping(batch: Batch) -> None:
        step(batch)
        torch._foreach_lerp_(kept, live, 1 - decay)
        if next(counted) % CHECKPOINT_EVERY_STEPS == 0:
            torch.save({"model": task.model.state_dict(), "average": kept}, file)

    return keeping


def data_loader_loop(task: Task, workers: int) -> Found:
    """The ordinary loop: a shuffling DataLoader, 32 bits, nothing fused or compiled."""
    task.model.to(task.device)
    loader = DataLoader(
        _Pictures(task.images),
        task.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        pin_memory=task.device.type == "cuda",
        persistent_workers=workers > 0,
    )
    full = torch.autocast(task.device.type, enabled=False)
    return _timed(task, _endless(loader, task.device), _step(task, full, fused=False))


def _timed(task: Task, batches: Iterator[Batch], step: Callable[[Batch], None]) -> Found:
    task.model.train()
    for _ in range(WARM_UP):
        step(next(batches))
    begun = now(task.device)
    for _ in range(task.steps):
        step(next(batches))
    return speeds(task, begun)


def _resident(images: Tensor, task: Task) -> Iterator[Batch]:
    while True:
        for rows in torch.randperm(len(images), device=task.device).split(task.batch_size):
            if len(rows) == task.batch_size:
                yield Batch(to_model(images[rows]))


def _endless(loader: DataLoader, device: torch.device) -> Iterator[Batch]:
    while True:
        for x in loader:
            yield Batch(x.to(device, non_blocking=True))


class _Pictures(Dataset):
    """One image at a time, as a data set with transforms gives it."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return torch.from_numpy(self.images[index]).float().div(255).sub(0.5).div(0.5)


def _step(task: Task, precision: Any, fused: bool) -> Callable[[Batch], None]:
    model = task.model
    if not hasattr(model, "discriminator"):
        optimizer = task.adam(model, fused)

        def step(batch: Batch) -> None:
            _turn(model.loss, optimizer, batch, precision)

        return step
    of_d, of_g = (task.adam(module, fused) for module in (model.discriminator, model.generator))

    def game(batch: Batch) -> None:
        _turn(model.discriminator_loss, of_d, batch, precision)
        model.discriminator.requires_grad_(False)
        _turn(model.generator_loss, of_g, batch, precision)
        model.discriminator.requires_grad_(True)

    return game


def _turn(loss: Callable[[Batch], Any], optimizer: torch.optim.Optimizer, batch: Batch, precision: Any) -> None:
    with precision:
        value, _ = loss(batch)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()


def pythae_trainer(task: Task) -> Found:
    """Images/s of pythae's trainer with its VAE around the same encoder and decoder; in epochs of `steps` steps."""
    import _pythae

    taken = task.images[np.arange(task.steps * task.batch_size) % len(task.images)]
    model = _pythae.vae(task.model, task.images.shape[1:], task.model.config.latent_dim)
    images = torch.from_numpy(taken).float() / 127.5 - 1
    return {"speed": len(taken) / _pythae.epochs_sec(model, images, task.batch_size, 2, task.lr)[-1]}
