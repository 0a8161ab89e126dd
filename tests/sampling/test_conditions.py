"""Conditions of held-out items: which there are, and what is drawn and scored for them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from genpipe import paths, registry
from genpipe.config.project import load_project
from genpipe.dataset.preparing import prepare
from genpipe.dataset.storage import Prepared, field_file, images_file, labels_file, write_meta
from genpipe.errors import ConfigError, UsageError
from genpipe.evaluation.extractor_training import make_references
from genpipe.evaluation.scoring import evaluate
from genpipe.files import read_json
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.phases import Phase
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.interfaces.translation import Translates, TranslatesDomains
from genpipe.running.inputs import Inputs
from genpipe.sampling.conditions import held_out_conditions
from genpipe.sampling.drawing import generate_samples
from genpipe.schema import Strict
from genpipe.stages import sample
from genpipe.training.experiment import train

FIELDS = {"half": FieldSpec("image", (1, 4, 4)), "domain": FieldSpec("class", (), 2)}
SPEC = DataSpec(1, 4, 4, ("a", "b", "c"), fields=FIELDS)


class Half(Generative, Translates):
    """Gives back what it is given, with noise if it has any."""

    source = "half"

    def __init__(self, config: Strict, spec: DataSpec, noise: float = 0.0) -> None:
        super().__init__(config, spec)
        self.noise, self.stochastic = noise, noise > 0  # type: ignore[misc]
        self.register_buffer("there", torch.zeros(1))

    def phases(self) -> list[Phase]:
        return []

    def translate(self, source: Tensor, rng: torch.Generator) -> Tensor:
        return (source + self.noise * torch.randn(source.shape, generator=rng)).clamp(-1, 1)


class Unwatched(Inputs):
    """Inputs that nobody changes."""

    def __init__(self) -> None:
        pass

    def verify(self) -> None:
        pass


class Inverted(Half, TranslatesDomains):
    """Translates by inverting."""

    domain, target = "domain", 1
    condition = TranslatesDomains.condition
    sample_for = TranslatesDomains.sample_for

    def translate_to(self, x: Tensor, target: int) -> Tensor:
        return -x


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    """Six held-out items, whose classes are 0, 1, 2 and whose domains are 0, 1 in turn."""
    rng = np.random.default_rng(0)
    for split, n in (("train", 3), ("test", 6)):
        np.save(images_file(tmp_path, split), rng.integers(0, 256, (n, 1, 4, 4), dtype=np.uint8))
        np.save(labels_file(tmp_path, split), np.arange(n) % 3)
        np.save(field_file(tmp_path, split, "half"), rng.integers(0, 256, (n, 1, 4, 4), dtype=np.uint8))
        np.save(field_file(tmp_path, split, "domain"), np.arange(n) % 2)
    write_meta(tmp_path, SPEC)
    return Prepared.open(tmp_path)


def test_each_item_is_translated_once_without_noise_and_in_turn_with_it(prepared: Prepared) -> None:
    once, often = (held_out_conditions(Half(Strict(), SPEC, noise), prepared, 10) for noise in (0.0, 0.5))
    assert once.rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert often.rows.tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3]
    assert often.labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    assert held_out_conditions(Half(Strict(), SPEC), prepared, 4).rows.tolist() == [0, 1, 2, 3]
    assert held_out_conditions(registry.load("models", "pca"), prepared, 4) is None


def test_images_are_those_of_their_conditions_however_they_are_cut_into_batches(prepared: Prepared) -> None:
    model = Half(Strict(), SPEC)
    conditions = held_out_conditions(model, prepared, 6)
    images = generate_samples(model, 6, seed=0, batch_size=4, conditions=conditions)
    assert (images == prepared.field("test", "half")).all()
    assert len(generate_samples(model, 100, seed=0, conditions=conditions)) == 6
    with pytest.raises(UsageError, match="Half draws no samples without conditions: half"):
        generate_samples(model, 6, seed=0)


def test_noise_gives_one_condition_several_images(prepared: Prepared) -> None:
    model = Half(Strict(), SPEC, 0.5)
    images = generate_samples(model, 12, seed=0, conditions=held_out_conditions(model, prepared, 12))
    assert (images[:6] != images[6:]).any(axis=(1, 2, 3)).all()


def test_only_images_of_the_other_domain_are_translated(prepared: Prepared) -> None:
    model = Inverted(Strict(), SPEC)
    conditions = held_out_conditions(model, prepared, 6)
    assert conditions.rows.tolist() == [0, 2, 4]
    images = generate_samples(model, 6, seed=0, conditions=conditions)
    assert (images == 255 - prepared.images("test")[::2]).all()


def test_items_of_classes_without_training_images_have_no_condition(prepared: Prepared) -> None:
    spec = DataSpec(1, 4, 4, SPEC.classes, untrained=(1,), fields=SPEC.fields)
    write_meta(prepared.folder, spec)
    assert held_out_conditions(Half(Strict(), spec), Prepared.open(prepared.folder), 9).rows.tolist() == [0, 2, 3, 5]


PIX2PIX = """\
seed: 0
model: {source: edges, generator_channels: 2, discriminator_channels: 2, discriminator_halvings: 1}
optim: {generator: {lr: 0.001}, discriminator: {lr: 0.001}}
train: {steps: 4, batch_size: 8, log_every_steps: 2, checkpoint_every_steps: 2, score_every_steps: 2, score_images: 20}
sample: {images: 500, batch_size: 100}
evaluate:
  metrics: {psnr: {}, fid: {}, label_accuracy: {}}
analyses:
  translation: {images: 3}
"""


def test_translations_are_scored_pair_by_pair_through_all_stages(project: Path) -> None:
    params = project / "params.yaml"
    text = params.read_text().replace("{model: vae,", "{model: pix2pix,")
    params.write_text(text.replace("test_images: 360}", "test_images: 360, derive: {edges: {}}}"))
    (project / "pipelines/first.yaml").write_text(PIX2PIX)
    opened = load_project()
    experiment, data = opened.experiment("first"), opened.data("tiny")
    prepare(data.opened, image_size=8, resize_mode="crop", seed=0, folder=paths.data("tiny"), derive=data.derivations)
    make_references(opened, "tiny")
    train(opened, experiment)
    list(sample.run("first", Unwatched()))
    evaluate(opened, experiment)
    scores = read_json(project / "reports/scores/first.json")
    samples, prepared = np.load("runs/first/samples/images.npy"), Prepared.open("data/tiny")
    rows = np.load("runs/first/samples/rows.npy")
    assert rows.tolist() == list(range(360)), "each held-out item once, though 500 are asked for"
    errors = np.square(samples.astype(float) - prepared.images("test")[rows]).mean()
    assert scores["psnr_pixels"] == pytest.approx(10 * np.log10(255**2 / errors))
    assert scores["how"]["psnr_pixels"]["fake_images"] == 360
    assert (np.load("runs/first/samples/labels.npy") == prepared.labels("test")).all()
    assert {"fid_classifier", "label_accuracy_classifier"} <= scores.keys()
    assert Path("reports/figures/first/translation.png").exists()


def test_a_model_without_the_field_is_told_how_to_get_it(project: Path) -> None:
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("{model: vae,", "{model: pix2pix,"))
    (project / "pipelines/first.yaml").write_text(PIX2PIX)
    with pytest.raises(ConfigError, match=r"pix2pix needs the field 'edges' \(image or label_map or mask\).*derive: "):
        load_project().experiment("first")
