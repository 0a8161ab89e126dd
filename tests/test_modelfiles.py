import json
from pathlib import Path

import pytest
import torch

from genpipe import registry
from genpipe.errors import CheckpointError, GenpipeError, UsageError
from genpipe.interfaces import Generative, ImageSpec
from genpipe.modelfiles import load_model, save_model
from genpipe.sampling import Samples, draw, load_samples, rebuild, save_samples

SPEC = ImageSpec(1, 8, 8, ("a", "b"))
KNOBS = {"body": "mlp", "widths": [8], "latent_dim": 3}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    system = registry.load("models", "vae")
    config = system.Config(**KNOBS)
    save_model(system(config, SPEC), "vae", config, SPEC, tmp_path / "model")
    return tmp_path / "model"


def test_a_model_comes_back_as_it_was_in_evaluation_mode(folder: Path) -> None:
    model, spec = load_model(folder)
    again, _ = load_model(folder)
    assert spec == SPEC
    assert not model.training
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))
    assert model.latent_dim == 3


def test_the_same_model_is_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    model, spec = load_model(folder)
    save_model(model, "vae", registry.load("models", "vae").Config(**KNOBS), spec, tmp_path / "again")
    for name in ("model.safetensors", "model.json"):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


@pytest.mark.parametrize("damage", ["missing", "cut", "other", "json", "knob"])
def test_what_is_damaged_is_named_with_the_remedy(folder: Path, damage: str) -> None:
    weights, description = folder / "model.safetensors", folder / "model.json"
    if damage == "missing":
        description.unlink()
    elif damage == "cut":
        weights.write_bytes(weights.read_bytes()[:100])
    elif damage == "json":
        description.write_text("{")
    else:
        said = json.loads(description.read_text())
        said["config"] |= {"latent_dim": 9} if damage == "other" else {"latent_dmi": 3}
        description.write_text(json.dumps(said))
    with pytest.raises(CheckpointError, match=r"model"):
        load_model(folder)


def test_samples_depend_on_the_seed_and_each_batch_draws_its_own(folder: Path) -> None:
    model, _ = load_model(folder)
    assert (draw(model, 7, seed=1) == draw(model, 7, seed=1)).all()
    assert (draw(model, 7, seed=1) != draw(model, 7, seed=2)).any()
    assert (draw(model, 7, seed=1, batch_size=3)[:6] == draw(model, 6, seed=1, batch_size=3)).all()


def test_who_cannot_draw_says_so() -> None:
    class Mute(Generative):
        def __init__(self) -> None:
            torch.nn.Module.__init__(self)

        def phases(self) -> list:
            return []

    with pytest.raises(UsageError, match="Mute draws no samples"):
        draw(Mute(), 1, seed=0)


def test_samples_come_back_and_damage_is_named(folder: Path, tmp_path: Path) -> None:
    model, _ = load_model(folder)
    images, folder = draw(model, 5, seed=0), tmp_path / "samples"
    rebuilt = rebuild(model, images)
    assert rebuilt is not None
    save_samples(Samples(images, rebuilt=rebuilt), folder)
    first = (folder / "images.npy").read_bytes()
    save_samples(Samples(images), folder)
    assert [file.name for file in folder.iterdir()] == ["images.npy"]
    assert (folder / "images.npy").read_bytes() == first
    assert (load_samples(folder).images == images).all()
    (folder / "images.npy").write_bytes(first[: len(first) // 2])
    with pytest.raises(GenpipeError, match="samples cannot be read"):
        load_samples(folder)
