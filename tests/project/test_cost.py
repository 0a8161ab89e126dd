from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from genpipe import registry
from genpipe.config.project import Experiment, Project
from genpipe.config.training import Optim
from genpipe.dataset.storage import field_file
from genpipe.project.cost import STATE, Memory, memory, parameters, size
from genpipe.project.new_experiment import ExperimentRequest, plan
from genpipe.training.optimizers import optimizer


def experiment(root: Path, recipe: str, *sets: str) -> Experiment:
    (found,) = plan(Project(root), ExperimentRequest("x", recipe, sets=sets)).experiments
    return found


def test_what_an_optimizer_keeps_is_what_it_does_keep() -> None:
    algorithms = get_args(Optim.model_fields["algorithm"].annotation)
    assert set(STATE) == set(algorithms)
    for name in algorithms:
        layer = torch.nn.Linear(10, 10, bias=False)
        moving = optimizer(layer, Optim(algorithm=name))
        layer(torch.ones(1, 10)).sum().backward()
        moving.step()
        kept = sum(t.numel() for state in moving.state.values() for t in state.values() if t.numel() > 1)
        assert kept == STATE[name] * 100, name


def test_every_part_is_counted(small_project: Path) -> None:
    mlp = ("model.architecture=mlp", "model.widths=[3]", "model.latent_dim=2", "train.batch_size=10")
    found = memory(small_project, experiment(small_project, "ae", *mlp))
    weights = 4 * parameters(experiment(small_project, "ae", *mlp))
    assert found is not None
    assert (found.weights, found.gradients, found.optimizer, found.average) == (weights, weights, 2 * weights, weights)
    image, hidden, codes = 1024, 3, 2
    assert found.activations is not None
    least = 4 * 10 * (image + hidden + codes + hidden + image)
    assert least <= found.activations <= 2 * least
    assert found.images is None
    assert found.total == found.activations + 5 * weights


def test_every_phase_has_an_optimizer_of_its_own_whatever_its_name(small_project: Path) -> None:
    found = memory(small_project, experiment(small_project, "ss_vae", "model.feature_dim=4"))
    assert found
    assert found.optimizer == 2 * found.gradients, "Adam keeps two numbers for each weight of M1 and of M2"


def test_activations_grow_with_the_batch_and_weights_do_not(small_project: Path) -> None:
    one, two = (memory(small_project, experiment(small_project, "dcgan", f"train.batch_size={n}")) for n in (8, 16))
    assert one
    assert two
    assert one.weights == two.weights
    assert two.activations == pytest.approx(2 * (one.activations or 0), rel=0.02)


def test_no_average_costs_nothing_and_prepared_images_count(small_project: Path) -> None:
    folder = small_project / "data" / "mnist5k"
    folder.mkdir(parents=True)
    np.save(folder / "train_images.npy", np.zeros((10, 1, 32, 32), np.uint8))
    found = memory(small_project, experiment(small_project, "gan", "train.ema_halflife_images=null"))
    assert found
    assert found.average == 0
    assert found.images == pytest.approx(10 * 1024, abs=200)


def test_what_is_fitted_in_closed_form_is_not_estimated(small_project: Path) -> None:
    assert memory(small_project, experiment(small_project, "pca")) is None


@pytest.mark.parametrize("name", registry.names("models"))
def test_activations_of_every_model_can_be_counted(small_project: Path, name: str) -> None:
    asked = experiment(small_project, name)
    found, fields = memory(small_project, asked), registry.load("models", name).needed_fields(asked.model)
    assert found is None or found.activations or fields, "only a loss that chooses by a field's values cannot be"


def test_the_fields_that_a_model_needs_count(small_project: Path) -> None:
    needing = experiment(small_project, "dc_ign")
    prepared = small_project / "data" / needing.data.name
    prepared.mkdir(parents=True)
    np.save(prepared / "train_images.npy", np.zeros((10, 3, 32, 32), np.uint8))
    found = memory(small_project, needing)
    assert found
    assert found.activations
    assert found.images is None, "the field is not there yet"
    np.save(field_file(prepared, "train", "sweep"), np.zeros((10, 2), np.int64))
    found = memory(small_project, needing)
    assert found
    assert found.images == pytest.approx(10 * (3 * 1024 + 16), abs=400)


def test_words() -> None:
    assert Memory(1000, 2000, 0, 0, None, 5_000_000).in_words() == (
        "5 MB (weights 1 kB, gradients 2 kB, training images 5 MB; activations of one batch not known yet)"
    )
    assert [size(n) for n in (5, 1234, 2_500_000_000)] == ["5 bytes", "1.23 kB", "2.5 GB"]
