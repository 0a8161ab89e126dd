import shutil
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from genpipe import registry
from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.interfaces.phases import Batch, Phase, Trainable
from genpipe.interfaces.spec import DataSpec
from genpipe.training.callbacks import Outcome
from genpipe.training.devices import fabric
from genpipe.training.loop import fit, seed
from genpipe.training.phase_step import PhaseStep, parts

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)


def vae(**knobs: object) -> Trainable:
    seed(0)
    kind = registry.load("models", "vae")
    return kind(kind.Config(architecture="mlp", widths=[8], latent_dim=2, **knobs), DataSpec(1, 8, 8))


def run(model: Trainable, **train: object) -> Outcome:
    device = fabric("32-true")
    batches = BatchLoader(IMAGES, None, size=8, seed=0, device=device.device)
    knobs = Train(**{"steps": 6, "batch_size": 8, "log_every_steps": 2, **train})
    return fit(model, batches, knobs, {p.name: Optim(lr=0.01) for p in model.phases()}, device=device)


class Square(Trainable):
    """A loss without random numbers, and one weight beside the phase that is to stay."""

    def __init__(self, loss: Callable[[Batch], torch.Tensor] | None = None) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(64, 1), nn.Linear(1, 1)
        self.given = loss
        self.sizes: list[int] = []

    def phases(self) -> list[Phase]:
        return [Phase("inner", self.inner, self.loss)]

    def loss(self, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        self.sizes.append(len(batch.x))
        loss = self.outer(self.inner(batch.x.flatten(1))).square().mean()
        return loss, {"root": loss.detach().sqrt()}


def square() -> Square:
    seed(0)
    return Square()


def test_a_batch_in_parts_gives_the_gradient_of_the_whole() -> None:
    whole, cut = square(), square()
    curves, cut_curves = run(whole).curves, run(cut, grad_accumulation_steps=4).curves
    assert cut.sizes == [2] * 24
    torch.testing.assert_close(cut.inner.weight, whole.inner.weight)
    assert [row["inner/loss"] for row in cut_curves] == pytest.approx([row["inner/loss"] for row in curves])
    assert cut_curves[0]["inner/root"] < curves[0]["inner/root"], "logs are means over the parts"


def test_parts_keep_labels_with_their_images() -> None:
    batch = Batch(torch.arange(6.0).reshape(6, 1, 1, 1), torch.arange(6), {"number": torch.arange(6)})
    for part in parts(batch, 3):
        assert part.x.flatten().tolist() == part.y.tolist() == part.fields["number"].tolist()
    assert all(part.y is None for part in parts(Batch(batch.x), 2))


def test_a_turn_freezes_what_is_not_its_own_and_drops_old_gradients() -> None:
    model = square()
    model.outer.weight.grad = torch.ones(1, 1)
    turn = PhaseStep(model.phases()[0], model, fabric("32-true"))
    turn.freeze()
    noted = turn.gradient(Batch(torch.ones(4, 1, 8, 8)))
    assert model.outer.weight.grad is None
    assert model.inner.weight.grad is not None
    assert set(noted) == {"loss", "root"}
    assert not noted["loss"].requires_grad


@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
def test_a_compiled_training_goes_as_the_other() -> None:
    plain = vae()
    expected = run(plain, compile="off", ema_halflife_images=20).curves
    compiled = vae()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = run(compiled, compile="on", ema_halflife_images=20).curves
    assert not [w for w in said if "without torch.compile" in str(w.message)]
    assert [r["autoencoder/loss"] for r in found] == pytest.approx([r["autoencoder/loss"] for r in expected], rel=1e-5)
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(compiled.state_dict()[name], tensor)


def test_what_cannot_be_compiled_is_trained_as_it_is_with_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled(loss: object, **_: object) -> Callable:
        warnings.warn("an unclosed file of an earlier test", ResourceWarning, stacklevel=1)  # whenever it is collected

        def call(batch: Batch) -> None:
            torch.rand(3)  # what a compiler may have used up before it gave up
            raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\nand more")

        return call

    expected = vae()
    run(expected, compile="off")
    monkeypatch.setattr(torch, "compile", compiled)
    model = vae()
    with pytest.warns(UserWarning, match=r"without torch\.compile: autoencoder \(.*No working C\+\+") as said:
        run(model, compile="on")
    assert len([w for w in said if w.category is UserWarning]) == 1
    for name, tensor in expected.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor)


def test_nothing_is_compiled_on_a_cpu_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", None)
    assert run(vae()).curves
