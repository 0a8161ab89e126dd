"""The pool of earlier images: what it gives, and that a training with one can be stopped anywhere."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from genpipe.artifacts.models import save_weights
from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.interfaces.phases import Batch, Phase, Trainable
from genpipe.interfaces.tensors import Logs, Scalar
from genpipe.nn.image_pool import ImagePool
from genpipe.training.callbacks import StepInfo
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.devices import fabric
from genpipe.training.loop import fit, seed


def numbered(first: int, count: int) -> torch.Tensor:
    return torch.arange(first, first + count).float().view(-1, 1, 1, 1).expand(-1, 1, 2, 2)


@pytest.mark.parametrize("batch", [1, 3, 4, 7, 10, 25])
def test_it_is_filled_first_and_then_gives_back_each_stored_image_once(batch: int) -> None:
    torch.manual_seed(0)
    pool, given = ImagePool(10, (1, 2, 2)), []
    for first in range(0, 40 * batch, batch):
        found = pool(numbered(first, batch))
        assert found.shape == (batch, 1, 2, 2)
        new = max(0, min(batch, 10 - first))
        assert found[:new, 0, 0, 0].tolist() == list(range(first, first + new)), "while it fills, images pass"
        given += found[:, 0, 0, 0].tolist()
    places = Counter([*given, *pool.stored[:, 0, 0, 0].tolist()])
    assert [places[k] for k in range(40 * batch)] == [2] * 10 + [1] * (40 * batch - 10), "none is lost, none doubled"


def test_half_of_the_images_are_earlier_ones_and_all_slots_are_used() -> None:
    torch.manual_seed(0)
    pool = ImagePool(10, (1, 2, 2))
    pool(numbered(0, 10))
    old = sum(int((pool(numbered(first, 5))[:, 0, 0, 0] < first).sum()) for first in range(10, 2010, 5))
    assert old / 2000 == pytest.approx(0.5, abs=0.05)
    assert pool.stored.min() > 1700, "no image stays for ever"


def test_an_image_is_stored_when_another_leaves() -> None:
    torch.manual_seed(0)
    pool = ImagePool(4, (1, 2, 2))
    pool(numbered(0, 4))
    for first in range(4, 400, 2):
        before = set(pool.stored[:, 0, 0, 0].tolist())
        found = pool(numbered(first, 2))[:, 0, 0, 0].tolist()
        left = before & set(found)
        entered = {first + k for k in range(2) if found[k] != first + k}
        assert len(left) == len(entered)
        assert set(pool.stored[:, 0, 0, 0].tolist()) == before - left | entered


def test_a_pool_of_none_lets_images_pass_without_their_gradient() -> None:
    x = torch.ones(2, 1, 2, 2, requires_grad=True)
    found = ImagePool(0, (1, 2, 2))(x)
    assert torch.equal(found, x)
    assert not found.requires_grad


class Pooled(Trainable):
    """A net whose loss compares its own earlier images."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.pool = nn.Conv2d(1, 1, 3, padding=1), ImagePool(12, (1, 4, 4))

    def phases(self) -> list[Phase]:
        return [Phase("only", self.net, self.loss)]

    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        made = self.net(batch.x)
        return (made - self.pool(made) - 0.1 * batch.x).square().mean(), {}


def trained(folder: Path, stopped_at: int | None = None) -> Pooled:
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 4, 4), dtype=np.uint8)
    seed(0)
    model, device = Pooled(), fabric("32-true")
    train = Train(steps=30, batch_size=5, log_every_steps=1, checkpoint_every_steps=10, ema_halflife_images=40)

    def watch(info: StepInfo) -> None:
        if info.step == stopped_at:
            raise KeyboardInterrupt

    batches = BatchLoader(images, None, size=5, seed=0, device=device.device)
    optim, kept = {"only": Optim(lr=0.01)}, Checkpoints(folder)
    fit(model, batches, train, optim, device=device, checkpoints=kept, callbacks=[watch])
    return model


def test_an_interrupted_training_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "stopped", stopped_at=17)
    resumed = trained(tmp_path / "stopped")
    for name, buffer in whole.named_buffers():
        assert torch.equal(dict(resumed.named_buffers())[name], buffer), name
    assert all(torch.equal(a, b) for a, b in zip(resumed.parameters(), whole.parameters(), strict=True))
    kept = Checkpoints(tmp_path / "whole").newest()
    assert torch.equal(kept["transient"][0]["pool.stored"], whole.pool.stored)


def test_it_is_no_weight(tmp_path: Path) -> None:
    model = trained(tmp_path / "checkpoints")
    assert model.state_dict().keys() == {"net.weight", "net.bias"}
    kept = Checkpoints(tmp_path / "checkpoints").newest()
    assert kept["average"].keys() == {"net.weight", "net.bias"}
    save_weights(model, tmp_path / "weights.safetensors")
    assert (tmp_path / "weights.safetensors").stat().st_size < 500
