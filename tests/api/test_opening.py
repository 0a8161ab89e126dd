"""Experiments, folders and models of MLflow, opened."""

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch

import genpipe
from genpipe import config, paths, registry
from genpipe.analyses._codes import encoded
from genpipe.data._storage import Prepared
from genpipe.errors import CheckpointError, DataError, GenpipeError, ModelWarning, UsageError
from genpipe.files import read_json, write_json
from genpipe.modelfiles import load_model, save_model
from genpipe.nn.passing import decoded, rebuilt
from genpipe.sampling import draw
from genpipe.tracking import Tracker
from genpipe.training.curves import read_curves
from tests.conftest import ROOT

IMLE = """
from pathlib import Path

import torch
from torch import nn

from genpipe.interfaces import Decodes, Generative
from genpipe.schema import Strict

Path("ran").touch()


class IMLE(Generative, Decodes):
    class Config(Strict):
        latent_dim: int = 4

    def __init__(self, config, spec):
        super().__init__(config, spec)
        self.net = nn.Sequential(nn.Linear(config.latent_dim, spec.values), nn.Tanh(), nn.Unflatten(1, spec.shape))
        self.latent_dim = config.latent_dim

    def phases(self):
        return []

    def prior(self, n, rng):
        return torch.randn(n, self.latent_dim, generator=rng, device=rng.device)

    def decode(self, z):
        return self.net(z)
"""


def test_an_experiment_does_what_its_model_does(here: Path) -> None:
    model, _ = load_model(paths.model("vae"))
    held_out = np.array(Prepared.open(paths.data("tiny")).images("test"))
    vae = genpipe.open("vae")
    assert np.array_equal(vae.sample(5, seed=3).planes, draw(model, 5, seed=3))
    assert np.array_equal(vae.held_out.planes, held_out)
    z = vae.encode(vae.held_out[:3])
    assert np.array_equal(z, encoded(model, held_out[:3]))
    assert np.array_equal(vae.decode(z).planes, decoded(model, z))
    assert np.array_equal(vae.reconstruct(vae.held_out[:3]).planes, rebuilt(model, held_out[:3]))
    assert isinstance(vae.model, torch.nn.Module)
    assert vae.spec.shape == (1, 8, 8)


def apart(a: np.ndarray, b: np.ndarray) -> int:
    """In levels; sums in another order may round otherwise."""
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def test_a_way_begins_and_ends_at_its_ends(here: Path) -> None:
    vae = genpipe.open("vae")
    z = vae.encode(vae.held_out[:3])
    way = vae.interpolate(z, steps=5)
    assert way.shape == (10, 8, 8, 1)
    assert apart(way[[0, 4, 9]], vae.decode(z)) <= 1
    assert np.array_equal(vae.interpolate(vae.held_out[:3], steps=5), way)
    straight = vae.interpolate(z[:2], steps=3, path="linear")
    assert apart(straight[1], vae.decode(z[:2].astype(float).mean(0, keepdims=True))[0]) <= 1
    assert vae.interpolate(seed=1).shape == (11, 8, 8, 1)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda vae: vae.interpolate(np.zeros((2, 4)), path="round"), "path between codes is called 'round'"),
        (lambda vae: vae.interpolate(np.zeros((1, 4))), "a walk needs two codes"),
        (lambda vae: vae.interpolate(steps=1), "a way of 1 images; it has 2 at least"),
        (lambda vae: vae.decode(np.zeros((2, 5))), "has codes of 5 numbers; those of vae have 4"),
        (lambda vae: vae.decode(np.zeros(4)), r"codes are numbers \[n d\]"),
        (lambda vae: vae.sample(0), "give 1 or more"),
        (lambda vae: vae.sample(seed=-1), "a seed from 0 to"),
    ],
)
def test_what_is_wrong_is_said(here: Path, call: Callable[[genpipe.Model], object], said: str) -> None:
    with pytest.raises(GenpipeError, match=said):
        call(genpipe.open("vae"))


def test_images_of_another_size_are_made_as_the_data_set_says(here: Path) -> None:
    vae = genpipe.open("vae")
    large = np.repeat(np.repeat(vae.held_out[:2], 2, 1), 2, 2)
    assert np.allclose(vae.encode(large), vae.encode(genpipe.images(large, size=8)))
    with pytest.raises(UsageError, match=r"1×16×16.* is made for 1×8×8.*size=8, channels=1, fit="):
        genpipe.open(paths.model("vae")).encode(large)


def test_results_are_those_on_disk(here: Path) -> None:
    vae = genpipe.open("vae")
    said = read_json(paths.scores("vae"))
    assert vae.scores.value["fid_classifier"] == said["fid_classifier"]
    assert vae.scores.real["fid_classifier"] == said["how"]["fid_classifier"]["real"]
    assert vae.scores.extractor["fid_classifier"] == "classifier"
    assert vae.scores["std"]["is_classifier"] == said["is_classifier_std"]
    assert "is_classifier_std" not in vae.scores.index
    assert vae.scores.value["parameters"] == said["parameters"]
    rows = read_curves(paths.curves("vae"))
    assert vae.curves.index.tolist() == [row["step"] for row in rows] == [2, 4, 6]
    assert vae.curves["autoencoder/loss"].tolist() == [row["autoencoder/loss"] for row in rows]
    assert vae.figures["sample_grid"].size == (32, 32)


def test_a_stale_result_warns_and_a_fresh_one_does_not(here: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ModelWarning)
        genpipe.open("vae")
    file = paths.pipeline("vae")
    file.write_text(file.read_text().replace("lr: 0.01", "lr: 0.02"))
    with pytest.warns(ModelWarning, match="vae: its results are not of the current YAML, data and code") as told:
        genpipe.open("vae")
    assert not Path(told[0].filename).is_relative_to(ROOT / "genpipe"), "it points at whoever opens"
    shutil.rmtree(paths.data("tiny"))
    with pytest.warns(ModelWarning, match="cannot be told.*dvc repro"):
        genpipe.open("vae")


def test_what_has_not_run_is_said(here: Path) -> None:
    shutil.rmtree(paths.model("vae"))
    paths.curves("vae").unlink()
    vae = genpipe.open("vae")
    assert "fid_classifier" in vae.scores.index, "a clone has the scores without the model"
    with pytest.raises(CheckpointError, match=r"holds no model. Run `dvc repro`"):
        vae.sample()
    with pytest.raises(DataError, match=r"vae has no reports/curves/vae\.csv yet"):
        _ = vae.curves


def test_a_string_is_an_experiment_and_a_path_a_folder(here: Path) -> None:
    with pytest.raises(UsageError, match=r"no experiment .* 'runs/vae'.*genpipe.open\(Path\(\"runs/vae\"\)\)"):
        genpipe.open("runs/vae")
    with pytest.raises(UsageError, match=r"'vea'.*Did you mean 'vae'"):
        genpipe.open("vea")
    assert np.array_equal(genpipe.open(Path("runs/vae")).sample(3), genpipe.open("vae").sample(3))
    assert np.array_equal(genpipe.open("vae", root=here / "runs").sample(3), genpipe.open("vae").sample(3))
    with pytest.raises(CheckpointError, match=r"holds no model\. Give a folder with model\.json"):
        genpipe.open(Path("pipelines"))
    with pytest.raises(UsageError, match="has no scores"):
        _ = genpipe.open(Path("runs/vae")).scores


def test_foreign_code_runs_only_if_it_is_trusted(here: Path) -> None:
    folder, code = here / "runs" / "foreign" / "model", here / "genpipe" / "models" / "foreign_imle.py"
    Path("mine.py").write_text(IMLE)
    mine = genpipe.build(registry.load_file(Path("mine.py")), images=genpipe.open("vae").held_out)
    save_model(mine.model, "foreign_imle", mine.model.built_from[0], mine.spec, folder)
    Path("ran").unlink()
    with pytest.raises(CheckpointError, match="no system is called 'foreign_imle'"):
        genpipe.open(folder, trust=True)
    code.parent.mkdir(parents=True)
    code.write_text(IMLE)
    with pytest.raises(UsageError, match=r"foreign_imle\.py does, and to open the model would run that file"):
        genpipe.open(folder)
    assert not Path("ran").exists()
    opened = genpipe.open(folder, trust=True)
    assert Path("ran").exists()
    assert np.array_equal(opened.sample(3), mine.sample(3))


@pytest.mark.parametrize("name", ["../../ran", "os.path", ""])
def test_a_system_is_a_name_and_no_path(here: Path, name: str) -> None:
    said = read_json(paths.model("vae") / "model.json")
    write_json(paths.model("vae") / "model.json", {**said, "system": name})
    with pytest.raises(CheckpointError, match="no system is called"):
        genpipe.open(Path("runs/vae"), trust=True)


def test_a_model_of_mlflow_comes_back_the_same(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GenpipeError, match=r"cannot be had from MLflow .* there is no such store"):
        genpipe.open("models:/digits/1")
    Tracker(config.load()).mirror_all()
    (found,) = mlflow.MlflowClient().search_logged_models([mlflow.get_experiment_by_name("genpipe").experiment_id])
    mlflow.register_model(found.model_uri, "digits")
    monkeypatch.setattr("pickle.load", None)  # nothing is unpickled
    monkeypatch.setattr(mlflow.pyfunc, "load_model", None)  # nor is code of the model run
    assert np.array_equal(genpipe.open("models:/digits/1").sample(3), genpipe.open("vae").sample(3))
    with pytest.raises(GenpipeError, match="models:/digits/2 cannot be had"):
        genpipe.open("models:/digits/2")


def test_who_cannot_is_told_who_can(here: Path) -> None:
    gan = genpipe.build("dcgan", images=np.zeros((4, 16, 16), np.uint8))
    with pytest.raises(UsageError, match=r"encodes nothing\. Systems that do: .*vae"):
        gan.encode(np.zeros((4, 16, 16), np.uint8))
    with pytest.raises(UsageError, match=r"reconstructs nothing\. Systems that do: .*vae"):
        gan.reconstruct(np.zeros((4, 16, 16), np.uint8))
