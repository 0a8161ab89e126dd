"""Trains in two processes and prints what came of it; tests/training/test_devices.py runs it."""

import json
import sys
from pathlib import Path

import numpy as np

from genpipe import registry
from genpipe.data._batches import Batches
from genpipe.interfaces import ImageSpec
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.devices import devices
from genpipe.training.knobs import Optim, Train
from genpipe.training.loop import fit, seed

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 1, 8, 8), dtype=np.uint8)
TRAIN = Train(steps=8, batch_size=8, log_every_steps=2, checkpoint_every_steps=3, average_halflife_images=40)


class Stop(Exception):
    """A kill."""


def stop(moment) -> None:
    if moment.step >= 4:
        raise Stop


def trained(name: str, body: str, device, **how) -> dict:
    """The curves, and the sum of all weights."""
    kind = registry.load("models", name)
    seed(0)
    model = kind(kind.Config(body=body, widths=[4, 8], latent_dim=2), ImageSpec(1, 8, 8))
    batches = Batches(IMAGES, None, size=8, seed=0, device=device.device, part=(device.global_rank, device.world_size))
    optim = {"autoencoder": Optim(lr=0.01, schedule="cosine", clip_norm=10.0)}
    outcome = fit(model, batches, TRAIN, optim, device=device, **how)
    weights = sum(float(tensor.double().sum()) for tensor in model.state_dict().values())
    return {"losses": [row["autoencoder/loss"] for row in outcome.curves], "weights": weights}


def main(folder: Path) -> None:
    device = devices(TRAIN.model_copy(update={"devices": 2}))
    found = {name: trained(*name.split("-"), device) for name in ("ae-mlp", "ae-conv", "vae-mlp")}
    checkpoints = Checkpoints(folder / "checkpoints")
    try:
        trained("vae", "mlp", device, checkpoints=checkpoints, watchers=[stop])
    except Stop:
        found["resumed"] = trained("vae", "mlp", device, checkpoints=checkpoints)
    (folder / f"{device.global_rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
