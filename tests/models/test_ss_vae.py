"""Semi-supervised VAE: few labels teach the classes, and no others count."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader, StoredField
from genpipe.dataset.splitting import known_labels
from genpipe.errors import Stopped
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.models.ss_vae import SSVAE
from genpipe.nn.pixel_range import to_model
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.devices import fabric
from genpipe.training.loop import fit, seed

SPEC = DataSpec(1, 8, 8, ("left", "right"))
SMALL = {"architecture": "mlp", "widths": [16], "latent_dim": 2, "feature_widths": [16], "classification_weight": 20.0}
WAYS = pytest.mark.parametrize("feature_dim", [None, 3], ids=["m2", "m1+m2"])


def few(rows: np.ndarray) -> StoredField:
    """The few known labels as a field."""
    return StoredField(rows, FieldSpec("attributes", (2,)))


def halves(n: int, number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images of which one half is brighter than the other; much noise."""
    rng = np.random.default_rng(number)
    labels = np.arange(n) % 2
    bright = (np.arange(8) // 4 == labels[:, None])[:, None, None, :]
    return np.clip(90 + 70 * bright + 40 * rng.normal(size=(n, 1, 8, 8)), 0, 255).astype(np.uint8), labels


def trained(
    feature_dim: int | None, steps: int, scrambled: bool = False, folder: Path | None = None, first: int = 0
) -> SSVAE:
    """A small model that knows four labels, stopped once on the way if `first` says so."""
    images, labels = halves(200)
    rows = known_labels(labels, 2, 4, 0)
    given = np.where(rows.any(1), labels, np.random.default_rng(1).permutation(labels)) if scrambled else labels
    for until in filter(None, (first, steps)):
        seed(0)
        model, device = SSVAE(SSVAE.Config(**SMALL, feature_dim=feature_dim), SPEC), fabric("32-true")
        knobs = Train(steps=steps, batch_size=20, checkpoint_every_steps=max(1, first))
        batches = BatchLoader(
            images, given, size=20, seed=0, device=device.device, fields={"known_label": few(rows)}, second=rows.any(1)
        )
        kept = Checkpoints(folder) if folder else None
        optim = {"autoencoder": Optim(lr=1e-2)}
        with nullcontext() if until == steps else pytest.raises(Stopped):
            fit(
                model,
                batches,
                knobs,
                optim,
                device=device,
                checkpoints=kept,
                stopping=nullcontext(after(until if until < steps else -1)),
            )
    return model.eval()


def same(one: SSVAE, other: SSVAE) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def after(steps: int) -> Callable[[], int]:
    """Sends a signal after so many steps."""
    left = iter(range(steps - 1, -1, -1))
    return lambda: 15 * (next(left, -1) == 0)


@WAYS
def test_classes_are_learned_from_four_labels_and_drawn_as_asked(feature_dim: int | None) -> None:
    model = trained(feature_dim, 300)
    images, labels = halves(200, number=5)
    y = torch.arange(60) % 2
    with torch.inference_mode():
        p = model.classify(to_model(torch.from_numpy(images)))
        x = model.sample_of(y, torch.Generator().manual_seed(0))
    torch.testing.assert_close(p.sum(1), torch.ones(200))
    assert (p.argmax(1).numpy() == labels).mean() > 0.95
    righter = x[..., 4:].mean((1, 2, 3)) > x[..., :4].mean((1, 2, 3))
    assert (righter == (y == 1)).float().mean() > 0.9


@WAYS
def test_no_label_but_the_known_ones_changes_anything(feature_dim: int | None) -> None:
    assert same(trained(feature_dim, 8), trained(feature_dim, 8, scrambled=True))


@WAYS
@pytest.mark.parametrize("first", [3, 6])
def test_a_stopped_training_ends_in_the_same_weights(feature_dim: int | None, first: int, tmp_path: Path) -> None:
    assert same(trained(feature_dim, 8), trained(feature_dim, 8, folder=tmp_path, first=first))


def test_known_labels_change_the_classifier() -> None:
    model = SSVAE(SSVAE.Config(**SMALL), SPEC)
    images, labels = halves(8)
    rows = known_labels(labels, 2, 4, 0)
    batches = BatchLoader(images, labels, size=8, seed=0, device=torch.device("cpu"), fields={"known_label": few(rows)})
    batch = batches.batch(0)
    losses = []
    for given in (batch.fields["known_label"], batch.fields["known_label"].flip(1)):
        torch.manual_seed(0)
        losses.append(model.loss(replace(batch, fields={"known_label": given}))[1]["classification_nats"])
    assert losses[0] != losses[1]


def test_features_are_learned_from_images_without_a_known_label() -> None:
    model = SSVAE(SSVAE.Config(**SMALL, feature_dim=3), SPEC)
    images, labels = halves(8)
    rows = known_labels(labels, 2, 4, 0)
    batches = BatchLoader(images, labels, size=8, seed=0, device=torch.device("cpu"), fields={"known_label": few(rows)})
    batch = batches.batch(0)
    known = batch.fields["known_label"].any(1)
    losses = []
    for x in (batch.x, torch.where(known[:, None, None, None], -batch.x, batch.x), -batch.x):
        torch.manual_seed(0)
        losses.append(model.feature_loss(replace(batch, x=x))[0])
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]
