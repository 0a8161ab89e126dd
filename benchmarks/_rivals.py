"""Loops that `fit` is measured against, each written as well as its kind is usually written."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from genpipe.dataset.batches import StoredField, as_tensor
from genpipe.dataset.deriving import DerivedField
from genpipe.interfaces.phases import Batch, Phase
from genpipe.nn.pixel_range import to_model

WARM_UP = 10
"""Steps before the clock starts."""
CHECKPOINT_EVERY_STEPS, HALFLIFE_IMAGES = 500, 10_000
Found = dict[str, Any]


@dataclass
class Task:
    """What is trained: a fresh model, images uint8 [n c h w] with their fields, and for how long.

    A model for which images of two kinds have to alternate gets them stored so.
    """

    model: Any
    images: np.ndarray
    fields: Mapping[str, StoredField]
    drawn: Mapping[str, DerivedField]
    """Those that `fit` draws anew for each batch."""
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
    half = torch.autocast(task.device.type, torch.bfloat16, enabled=task.device.type == "cuda")
    step = _step(task, half, fused=True)
    with TemporaryDirectory() as folder:
        return _timed(task, _resident(task), _keeping(task, step, f"{folder}/kept.pt") if keeps else step)


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
        _Pictures(task),
        task.batch_size,
        sampler=_Shuffled(task),
        drop_last=True,
        num_workers=workers,
        pin_memory=task.device.type == "cuda",
        persistent_workers=workers > 0,
    )
    full = torch.autocast(task.device.type, enabled=False)
    return _timed(task, _endless(loader, task), _step(task, full, fused=False))


def _timed(task: Task, batches: Iterator[Batch], step: Callable[[Batch], None]) -> Found:
    task.model.train()
    for _ in range(WARM_UP):
        step(next(batches))
    begun = now(task.device)
    for _ in range(task.steps):
        step(next(batches))
    return speeds(task, begun)


def _order(task: Task, device: torch.device | None = None) -> Tensor:
    """All rows in an order by chance; of two kinds that have to alternate, each by itself."""
    if not task.model.balance_by:
        return torch.randperm(len(task.images), device=device)
    kinds = [2 * torch.randperm(len(task.images) // 2, device=device) + kind for kind in range(2)]
    return torch.stack(kinds, dim=1).flatten()


def _resident(task: Task) -> Iterator[Batch]:
    images = torch.from_numpy(task.images).to(task.device)
    kept = {name: torch.from_numpy(field.rows).to(task.device) for name, field in task.fields.items()}
    while True:
        for rows in _order(task, task.device).split(task.batch_size):
            if len(rows) == task.batch_size:
                yield _batch(task, to_model(images[rows]), {name: values[rows] for name, values in kept.items()})


def _endless(loader: DataLoader, task: Task) -> Iterator[Batch]:
    while True:
        for x, rows in loader:
            sent = {name: values.to(task.device, non_blocking=True) for name, values in rows.items()}
            yield _batch(task, x.to(task.device, non_blocking=True), sent)


def _batch(task: Task, x: Tensor, rows: Mapping[str, Tensor]) -> Batch:
    return Batch(x, None, {name: as_tensor(values, task.fields[name].spec.kind) for name, values in rows.items()})


class _Pictures(Dataset):
    """One image at a time with its fields, as a data set with transforms gives it."""

    def __init__(self, task: Task) -> None:
        self.images, self.fields = task.images, task.fields

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        x = torch.from_numpy(self.images[index]).float().div(255).sub(0.5).div(0.5)
        return x, {name: torch.as_tensor(field.rows[index]) for name, field in self.fields.items()}


class _Shuffled(Sampler):
    """The order of each epoch."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __len__(self) -> int:
        return len(self.task.images)

    def __iter__(self) -> Iterator[int]:
        return iter(_order(self.task).tolist())


def _step(task: Task, precision: Any, fused: bool) -> Callable[[Batch], None]:
    """One turn of each phase, in which the weights of the others need no gradient."""
    turns = [(phase, task.adam(phase.module, fused)) for phase in task.model.phases()]

    def step(batch: Batch) -> None:
        for phase, optimizer in turns:
            for other, _ in turns:
                other.module.requires_grad_(other is phase)
            _turn(phase, optimizer, batch, precision)

    return step


def _turn(phase: Phase, optimizer: torch.optim.Optimizer, batch: Batch, precision: Any) -> None:
    with precision:
        value, _ = phase.loss(batch)
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
