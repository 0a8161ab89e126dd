"""DC-IGN: codes are clamped as the paper says, and come to stand for what varies."""

from pathlib import Path

import numpy as np
import pytest
import torch

from genpipe.config.training import Optim, Train
from genpipe.data.shapes import Shapes
from genpipe.dataset.batches import BatchLoader
from genpipe.dataset.preparing import prepare
from genpipe.dataset.storage import Prepared
from genpipe.errors import DataError, Unsuitable
from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.models.dc_ign import DCIGN, _Clamped
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.devices import fabric, shared_batches
from genpipe.training.loop import fit, seed

SWEEP = torch.tensor([[0, 0], [0, 0], [1, 2], [1, 2]])


def clamped(z: torch.Tensor, active: torch.Tensor, weight: float = 1.0) -> torch.Tensor:
    together = (SWEEP[:, :1] == SWEEP[:, 0]).float()
    return _Clamped.apply(z, active, together / together.sum(1, keepdim=True), weight)


@pytest.fixture
def active() -> torch.Tensor:
    return torch.tensor([[True, False]] * 2 + [[False, True]] * 2)


def test_codes_that_are_not_active_are_the_mean_of_their_sweep(active: torch.Tensor) -> None:
    z = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]])
    assert clamped(z, active).tolist() == [[1, 15], [2, 15], [3.5, 30], [3.5, 40]]


def test_their_gradient_is_how_far_they_are_from_it(active: torch.Tensor) -> None:
    z = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]], requires_grad=True)
    clamped(z, active, weight=8.0).backward(torch.full((4, 2), 7.0))
    assert z.grad is not None
    assert z.grad.tolist() == [[7, 2 * -5], [7, 2 * 5], [2 * -0.5, 7], [2 * 0.5, 7]], "weight over four images is 2"


def test_which_numbers_belong_to_what_varies() -> None:
    model = DCIGN(DCIGN.Config(widths=[8], latent_dim=6, factor_codes=[1, 2]), DataSpec(1, 8, 8))
    assert model.owner.tolist() == [0, 1, 1, 2, 2, 2]
    with pytest.raises(Unsuitable, match="factor_codes take 6 of 6 numbers"):
        DCIGN(DCIGN.Config(latent_dim=6, factor_codes=[3, 3]), DataSpec(1, 8, 8))


def test_the_decoder_is_told_nothing_else_of_an_image_in_a_sweep() -> None:
    torch.manual_seed(0)
    model = DCIGN(DCIGN.Config(architecture="mlp", widths=[8], latent_dim=4), DataSpec(1, 4, 4))
    seen = []
    model.decoder.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    model.loss(Batch(torch.rand(4, 1, 4, 4) * 2 - 1, None, {"sweep": SWEEP}))
    (z,) = seen
    for rows, own in ((z[:2], [0]), (z[2:], [2, 3])):
        same = (rows[0] == rows[1]).tolist()
        assert same == [place not in own for place in range(4)]


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    source = Shapes(Shapes.Config(images=2000, test_images=400, sweep_images=10), Path())
    return prepare(
        source, image_size=16, resize_mode="crop", seed=0, folder=tmp_path_factory.mktemp("data") / "o", workers=1
    )


def trained(sweeps: Prepared, steps: int, folder: Path | None = None, first: int = 0) -> DCIGN:
    """A small model after so many steps, stopped once on the way if `first` says so."""
    for until in filter(None, (first, steps)):
        seed(0)
        model = DCIGN(DCIGN.Config(widths=[16, 32], latent_dim=10, factor_codes=[1, 1, 1, 2]), sweeps.spec)
        knobs, device = Train(steps=until, batch_size=60, checkpoint_every_steps=max(1, first)), fabric("32-true")
        kept = Checkpoints(folder) if folder else None
        batches = shared_batches(sweeps, model, knobs, 0, device)
        fit(model, batches, knobs, {"autoencoder": Optim(lr=3e-3)}, device=device, checkpoints=kept)
    return model.eval()


def test_place_and_size_each_come_to_have_a_number_of_their_own(sweeps: Prepared) -> None:
    model, factors = trained(sweeps, 300), sweeps.factors("test")
    with torch.inference_mode():
        z = model.encode(torch.from_numpy(np.array(sweeps.images("test"))).float() / 127.5 - 1).numpy()
    for number, name in enumerate(("row", "column")):
        told = np.square(np.corrcoef(np.column_stack([z, factors[name]]).T)[-1, :-1])
        assert told.argmax() == number
        assert told[number] > 0.6
        assert np.delete(told, number).max() < 0.4


def test_a_stopped_training_goes_on_with_the_same_sweeps(sweeps: Prepared, tmp_path: Path) -> None:
    whole, resumed = trained(sweeps, 6), trained(sweeps, 6, tmp_path, first=3)
    assert all(
        torch.equal(a, b) for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True)
    )


def test_every_batch_is_of_whole_sweeps(sweeps: Prepared) -> None:
    batches = BatchLoader.of(sweeps, size=60, seed=0, device=torch.device("cpu"), fields=("sweep",), group_by="sweep")
    for number in (0, 3, 40):
        found = batches.batch(number).fields["sweep"][:, 0]
        assert all(len(set(found[k : k + 10].tolist())) == 1 for k in range(0, 60, 10))


def test_data_without_sweeps_are_refused(tmp_path: Path) -> None:
    plain = prepare(
        Shapes(Shapes.Config(images=40, test_images=8), Path()),
        image_size=16,
        resize_mode="crop",
        seed=0,
        folder=tmp_path / "o",
    )
    with pytest.raises(DataError, match="knows no 'sweep' of its images"):
        shared_batches(plain, DCIGN(DCIGN.Config(), plain.spec), Train(steps=1, batch_size=4), 0, fabric("32-true"))
