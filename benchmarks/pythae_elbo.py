"""The same VAE trained here and by pythae, beside each other: python benchmarks/pythae_elbo.py --mnist mnist.npz.

Both begin with the same weights and see as many batches of the same binarized images, in orders and with noise of
their own. The evidence lower bound of held-out images is computed of the last weights by the same code, with one code
for each image. pythae is installed beside the rest by `pip install --no-deps pythae`. Run it on a machine that does
nothing else.
"""

import argparse
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter
from typing import Any

import _pythae
import numpy as np
import torch
from training import machine

from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.models.vae import VAE
from genpipe.nn.pixel_range import to_model
from genpipe.training.devices import fabric
from genpipe.training.loop import fit, seed

SPEC = DataSpec(1, 28, 28, levels=2)
LATENT_DIM, LR, AT_ONCE = 50, 1e-3, 1000
Trained = Callable[[VAE, np.ndarray, argparse.Namespace, int], float]


def fresh(number: int) -> VAE:
    """A fully connected VAE of two levels, begun from a seed."""
    seed(number)
    return VAE(VAE.Config(architecture="mlp", widths=[200, 200], latent_dim=LATENT_DIM, likelihood="bernoulli"), SPEC)


def here(model: VAE, images: np.ndarray, given: argparse.Namespace, number: int) -> float:
    """Images/s of `fit`, which trains the model in place."""
    device = fabric("32-true")
    batches = BatchLoader(images, None, size=given.batch, seed=number, device=device.device)
    train = Train(steps=given.epochs * len(images) // given.batch, batch_size=given.batch, precision="32-true")
    begun = perf_counter()
    fit(model, batches, train, {"autoencoder": Optim(lr=LR)}, device=device)
    return given.epochs * len(images) / (perf_counter() - begun)


def of_pythae(model: VAE, images: np.ndarray, given: argparse.Namespace, number: int) -> float:
    """Images/s of pythae's trainer, which trains the model in place."""
    x = torch.from_numpy(images).float() / 255
    wrapped = _pythae.vae(model, SPEC.shape, LATENT_DIM, binary=True)
    return given.epochs * len(x) / sum(_pythae.epochs_sec(wrapped, x, given.batch, given.epochs, LR, number))


@torch.inference_mode()
def bound(model: VAE, images: np.ndarray) -> float:
    """The evidence lower bound of images in nats, on average."""
    torch.manual_seed(0)
    parts = [to_model(torch.from_numpy(part).to(model.device)) for part in np.split(images, len(images) // AT_ONCE)]
    return -mean(model.eval().loss(Batch(x))[0].item() for x in parts)


def binarized(file: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """So many training images, and the held-out ones, of two levels: each drawn once from its gray value."""
    arrays, rng = np.load(file), np.random.default_rng(0)
    every = (arrays["x_train"][:count, None], arrays["x_test"][:, None])
    training, held_out = ((rng.random(x.shape) < x / 255).astype(np.uint8) * np.uint8(255) for x in every)
    return training, held_out


def parsed() -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--mnist", type=Path, required=True, help="an .npz file with x_train and x_test")
    parser.add_argument("--images", type=int, default=60_000, help="to train on")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=100, help="images in a batch")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    given.images -= given.images % given.batch
    return given


def row(name: str, bounds: list[float], speeds: list[float]) -> str:
    """A row of the table."""
    each = ", ".join(f"{value:.2f}" for value in bounds)
    spread = stdev(bounds) if len(bounds) > 1 else float("nan")
    return f"| {name} | {each} | {mean(bounds):.2f} ± {spread:.2f} | {mean(speeds):,.0f} |"


def main() -> None:
    """Trains every seed in both ways and prints the table."""
    given = parsed()
    if not find_spec("pythae"):
        sys.exit("pythae is not installed here: pip install --no-deps pythae")
    print(machine())
    training, held_out = binarized(given.mnist, given.images)
    found: dict[str, tuple[list[float], list[float]]] = {"genpipe": ([], []), "pythae": ([], [])}
    ways: dict[str, Trained] = {"genpipe": here, "pythae": of_pythae}
    for number in range(given.seeds):
        for name, (bounds, speeds) in found.items():
            model: Any = fresh(number)
            speeds.append(ways[name](model, training, given, number))
            bounds.append(bound(model, held_out))
    print("\n| trained by | held-out bound of each seed, nats ↑ | mean ± deviation | images/s |\n|:--|:--|--:|--:|")
    for name, columns in found.items():
        print(row(name, *columns))


if __name__ == "__main__":
    main()
