"""Trains in two processes and writes down what came of it; tests/training/test_devices.py runs it."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.distributed.tensor import DTensor

from genpipe import registry
from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.interfaces.phases import Phase, Trainable
from genpipe.interfaces.spec import DataSpec
from genpipe.nn.augmentation import ADA
from genpipe.training.callbacks import SampleHook
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.devices import devices
from genpipe.training.loop import fit, seed

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 1, 8, 8), dtype=np.uint8)
TRAIN = Train(steps=8, batch_size=8, log_every_steps=2, checkpoint_every_steps=3, ema_halflife_images=40)
AUTOENCODER = {"widths": [4, 8], "latent_dim": 2}
MODELS = {
    "ae mlp": ("ae", {"architecture": "mlp", **AUTOENCODER}),
    "ae conv": ("ae", {"architecture": "conv", **AUTOENCODER}),
    "vae": ("vae", {"architecture": "mlp", **AUTOENCODER}),
    "gan": ("gan", {"widths": [6], "latent_dim": 3}),
}


class Spoiled(Trainable):
    """One weight that is a single number and some that are not; the third loss of the last process is not finite."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        self.scale, self.line, self.last, self.calls = nn.Parameter(torch.tensor(1.0)), nn.Linear(64, 3), last, 0

    def phases(self) -> list[Phase]:
        return [Phase("spoiled", self, self.loss)]

    def loss(self, batch):
        self.calls += 1
        loss = (self.scale * self.line(batch.x.flatten(1))).square().mean()
        return loss / (0 if self.last and self.calls == 3 else 1), {}


class Stop(Exception):
    """A kill."""


def stop(info) -> None:
    if info.step >= 4:
        raise Stop


def built(name: str, device) -> Trainable:
    seed(0)
    if name == "spoiled":
        return Spoiled(device.global_rank == device.world_size - 1)
    model_name, knobs = MODELS[name]
    kind = registry.load("models", model_name)
    return kind(kind.Config(**knobs), DataSpec(1, 8, 8))


def trained(name: str, device, train: Train = TRAIN, **how) -> dict:
    """The losses, what the weights are, and the share of them that this process held between two turns."""
    model, held = built(name, device), []
    how["callbacks"] = [lambda info: held.append(share_held(model)), *how.get("callbacks", ())]
    batches = BatchLoader(
        IMAGES, None, size=8, seed=0, device=device.device, part=(device.global_rank, device.world_size)
    )
    optim = {phase.name: Optim(lr=0.01, schedule="cosine", grad_clip_norm=10.0) for phase in model.phases()}
    curves = fit(model, batches, train, optim, device=device, **how).curves
    weights = [float(tensor.double().square().sum()) for tensor in model.state_dict().values()]
    losses = [[v for k, v in row.items() if k.endswith("/loss")] for row in curves]
    return {"losses": losses, "weights": weights, "held": held[0]}


def share_held(model: Trainable) -> float:
    mine = [w.to_local() if isinstance(w, DTensor) else w for w in model.parameters()]
    return sum(w.numel() for w in mine) / sum(w.numel() for w in model.parameters())


def heard(rank: int, processes: int) -> list[float]:
    """ADA's probability after each turn of D, of whose logits of real images this process has its part."""
    adaptive, rng, found = ADA(ramp_images=200), torch.Generator().manual_seed(0), []
    for turn in range(24):
        logits = torch.randn(8, 1, generator=rng) + (2 if turn < 16 else -1)
        adaptive.update(logits[rank::processes])
        found.append(float(adaptive.p))
    return found


def everything(device, train: Train, folder: Path) -> dict:
    """What all models come to, with and without a stop on the way, and what was seen of one meanwhile."""
    found = {name: trained(name, device, train) for name in MODELS}
    found["spoiled"] = trained("spoiled", device, train.model_copy(update={"on_nan": "skip"}))
    found["ada"] = {"heard": heard(device.global_rank, device.world_size)}
    found["in parts"] = trained("ae mlp", device, train.model_copy(update={"grad_accumulation_steps": 2}))
    checkpoints = Checkpoints(folder / "checkpoints")
    try:
        trained("vae", device, train, checkpoints=checkpoints, callbacks=[stop])
    except Stop:
        found["resumed"] = trained("vae", device, train, checkpoints=checkpoints)
    seen: list[list[float]] = []
    look = SampleHook(4, lambda step, model: seen.append(model.decode(torch.ones(1, 2)).flatten().tolist()))
    trained("ae mlp", device, train, sample_hook=look)
    return {**found, "seen": seen}


def main(folder: Path, strategy: str) -> None:
    train = TRAIN.model_copy(update={"devices": 2, "strategy": strategy})
    device = devices(train)
    found = everything(device, train, folder)
    (folder / f"{device.global_rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
