"""Systems built and trained on images at hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genpipe
from genpipe.api.training import _knobs
from genpipe.errors import ConfigError, UnknownName, UsageError
from genpipe.interfaces import Batch, Decodes, Generative, Phase
from genpipe.schema import Strict

X = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
Y = np.arange(40) % 3


def small(**knobs: Any) -> genpipe.Model:
    return genpipe.build("vae", images=X, body="mlp", widths=[16], latent_dim=3, **knobs)


def test_five_lines_train_a_model_and_show_what_it_draws() -> None:
    vae = small()
    before = vae.reconstruct(X)
    curves = genpipe.fit(vae, X, steps=120, batch_size=40, optim={"autoencoder": {"lr": 0.01}}, progress=False)
    assert curves.index[-1] == 120
    assert len(curves) == 60
    assert curves["autoencoder/loss"].iloc[-1] < curves["autoencoder/loss"].iloc[0]
    assert vae.curves is curves
    error = [np.square(made[..., 0].astype(float) - X).mean() for made in (before, vae.reconstruct(X))]
    assert error[1] < error[0]
    assert vae.sample(4).shape == (4, 8, 8, 1)
    assert not vae.model.training


def test_the_same_seed_gives_the_same() -> None:
    def trained(seed: int) -> tuple[genpipe.Images, list[float]]:
        vae = small(seed=seed)
        curves = genpipe.fit(vae, X, steps=5, seed=seed, progress=False)
        return vae.sample(3), curves["autoencoder/loss"].tolist()

    first, again, other = trained(0), trained(0), trained(1)
    assert np.array_equal(first[0], again[0])
    assert first[1] == again[1] != other[1]


def test_recipes_give_what_is_not_given() -> None:
    vae = genpipe.build("vae", images=np.repeat(np.repeat(X, 4, 1), 4, 2))
    assert vae.model.built_from[0].latent_dim == 8
    assert genpipe.build("beta_vae", images=X, body="mlp", widths=[8]).system == "vae"
    knobs = _knobs(vae, {}, {})
    assert (knobs.train.steps, knobs.train.batch_size, knobs.optim["autoencoder"].lr) == (1800, 64, 2e-3)
    assert knobs.train.average_halflife_images == 8000
    assert _knobs(vae, {"steps": 180}, {}).train.average_halflife_images == 800
    assert _knobs(vae, {"steps": 180, "average_halflife_images": 7}, {}).train.average_halflife_images == 7
    assert _knobs(vae, {"steps": 1000}, {}).train.log_every_steps == 20


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: genpipe.build("vea", images=X), UnknownName, "no recipe is called 'vea'.*Did you mean 'vae'"),
        (
            lambda: small(latent_dimm=2),
            ConfigError,
            "genpipe.build: latent_dimm: unknown key. Did you mean 'latent_dim'",
        ),
        (lambda: small(kl_weight="much"), ConfigError, 'kl_weight: .*"much" is given'),
        (lambda: genpipe.build("ss_vae", images=X), UsageError, "has to know known_label of each image"),
        (lambda: small(labels=Y[:5]), UsageError, r"labels are int64 \[5\]; .*\[40\] from 0"),
        (lambda: small(labels=Y / 2), UsageError, "labels are float64"),
        (lambda: genpipe.fit(small(), X, steps=1, bach_size=2), ConfigError, "train.bach_size: .*Did you mean 'batch_"),
        (lambda: genpipe.fit(small(), X, optim={"auto": {}}), ConfigError, "optim.auto: no such phase"),
        (lambda: genpipe.fit(small(), X, optim={"autoencoder": {"lrr": 1}}), ConfigError, "Did you mean 'lr'"),
        (lambda: genpipe.fit(small(), X, devices=2), ConfigError, "devices: a knob of pipelines; leave it out"),
        (lambda: genpipe.fit(small(), X, Y), UsageError, "vae knows no classes; give labels to genpipe.build too"),
        (lambda: genpipe.fit(small(labels=Y), X), UsageError, "images of 3 classes; give the labels"),
        (lambda: genpipe.fit(small(labels=Y), X, Y + 1), UsageError, "labels up to 3, and vae knows those from 0 to 2"),
        (lambda: genpipe.fit(small(), X[:, :4, :4]), UsageError, "1×4×4"),
    ],
)
def test_what_is_wrong_is_said_before_anything_trains(call: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        call()


def test_classes_are_learned_and_drawn_in_turn() -> None:
    cvae = genpipe.build("cvae", images=X, labels=Y * 2, body="mlp", widths=[8])
    assert cvae.spec.classes == ("0", "1", "2", "3", "4")
    assert cvae.spec.trained == (0, 2, 4)
    genpipe.fit(cvae, X, Y * 2, steps=2, progress=False)
    assert cvae.sample(6).shape == (6, 8, 8, 1)


def test_what_is_fitted_in_closed_form_has_no_curves() -> None:
    pca = genpipe.build("pca", images=X, latent_dim=39)
    assert len(genpipe.fit(pca, X, progress=False)) == 0
    assert np.abs(pca.reconstruct(X)[..., 0].astype(int) - X).max() <= 1


def test_images_of_two_levels_are_known_as_such() -> None:
    assert genpipe.build("pca", images=X > 127, latent_dim=2).spec.levels == 2
    assert genpipe.build("pca", images=X, latent_dim=2).spec.levels == 256


class Nearest(Generative, Decodes):
    """A system of one's own, as in a notebook."""

    class Config(Strict):
        latent_dim: int = 4

    def __init__(self, config: Config, spec: Any) -> None:
        super().__init__(config, spec)
        self.latent_dim = config.latent_dim
        self.net = nn.Sequential(nn.Linear(config.latent_dim, spec.values), nn.Tanh(), nn.Unflatten(1, spec.shape))

    def phases(self) -> list[Phase]:
        return [Phase("net", self.net, self.loss)]

    def loss(self, batch: Batch) -> Any:
        drawn = self.decode(torch.randn(len(batch.x), self.latent_dim))
        return (drawn - batch.x).square().mean(), {}

    def prior(self, n: int, rng: torch.Generator) -> Any:
        return torch.randn(n, self.latent_dim, generator=rng)

    def decode(self, z: Any) -> Any:
        return self.net(z)


def test_a_system_of_ones_own_is_trained_and_not_saved_where_nobody_could_open_it(tmp_path: Path) -> None:
    mine = genpipe.build(Nearest, images=X, latent_dim=2)
    with pytest.raises(ConfigError, match=r"train.steps: the key is missing"):
        genpipe.fit(mine, X)
    assert genpipe.fit(mine, X, steps=3, progress=False).columns.tolist() == ["net/loss"]
    assert mine.decode(np.zeros((2, 2))).shape == (2, 8, 8, 1)
    with pytest.raises(UsageError, match="Nearest is in no file of genpipe/models"):
        mine.save(tmp_path / "mine")


def test_what_is_saved_is_opened_and_trained_on(tmp_path: Path) -> None:
    vae = small()
    vae.save(tmp_path / "mine")
    again = genpipe.open(tmp_path / "mine")
    assert np.array_equal(again.sample(3), vae.sample(3))
    assert genpipe.fit(again, X, steps=2, progress=False).index.tolist() == [1, 2]
    assert not np.array_equal(again.sample(3), vae.sample(3))


def test_progress_is_lines(capsys: pytest.CaptureFixture[str]) -> None:
    genpipe.fit(small(), X, steps=20)
    shown = capsys.readouterr().out
    assert "fit vae: step 20/20" in shown
    assert len(shown.splitlines()) <= 12
    genpipe.fit(small(), X, steps=20, progress=False)
    assert capsys.readouterr().out == ""
