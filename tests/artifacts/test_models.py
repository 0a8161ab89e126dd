"""Finished models on disk, and the files beside them that say what they are: whole, damaged and made by others."""

import copy
import json
import random
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genpipe import registry
from genpipe.artifacts.extractors import load_extractor
from genpipe.artifacts.models import load_model, save_model
from genpipe.dataset.storage import Prepared, images_file, write_meta
from genpipe.errors import CheckpointError, DataError, GenpipeError, UsageError
from genpipe.evaluation.features import about as about_evidence
from genpipe.evaluation.references import store_reference
from genpipe.files import write_json
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.spec import DataSpec
from genpipe.sampling.drawing import Samples, generate_samples, load_samples, reconstruct_images, save_samples
from tests.fuzzing import cases

SPEC = DataSpec(1, 8, 8, ("a", "b"))
KNOBS = {"architecture": "mlp", "widths": [8], "latent_dim": 3}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model_class = registry.load("models", "vae")
    config = model_class.Config(**KNOBS)
    save_model(model_class(config, SPEC), "vae", config, SPEC, tmp_path / "model")
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
    assert (generate_samples(model, 7, seed=1) == generate_samples(model, 7, seed=1)).all()
    assert (generate_samples(model, 7, seed=1) != generate_samples(model, 7, seed=2)).any()
    assert (
        generate_samples(model, 7, seed=1, batch_size=3)[:6] == generate_samples(model, 6, seed=1, batch_size=3)
    ).all()


def test_who_cannot_draw_says_so() -> None:
    class Mute(Generative):
        def __init__(self) -> None:
            torch.nn.Module.__init__(self)

        def phases(self) -> list:
            return []

    with pytest.raises(UsageError, match="Mute draws no samples"):
        generate_samples(Mute(), 1, seed=0)


def test_samples_come_back_and_damage_is_named(folder: Path, tmp_path: Path) -> None:
    model, _ = load_model(folder)
    images, folder = generate_samples(model, 5, seed=0), tmp_path / "samples"
    rebuilt = reconstruct_images(model, images)
    assert rebuilt is not None
    save_samples(Samples(images, reconstructions=rebuilt), folder)
    first = (folder / "images.npy").read_bytes()
    save_samples(Samples(images), folder)
    assert [file.name for file in folder.iterdir()] == ["images.npy"]
    assert (folder / "images.npy").read_bytes() == first
    assert (load_samples(folder).images == images).all()
    (folder / "images.npy").write_bytes(first[: len(first) // 2])
    with pytest.raises(GenpipeError, match="samples cannot be read"):
        load_samples(folder)


def changed(file: Path, key: str, value: object) -> None:
    """Writes a JSON file with one value changed, or left out if it is `...`."""
    said = json.loads(file.read_text())
    *path, last = key.split(".")
    at = said
    for part in path:
        at = at[part]
    at.pop(last) if value is ... else at.update({last: value})
    file.write_text(json.dumps(said))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("model", ..., "model.json: model: the key is missing"),
        ("model", 7, "model.json: model: .* string, but 7 is given"),
        ("model", "../models/vae", "model.json: model: no model is called '../models/vae'"),
        ("config", None, "model.json: config: .* dictionary, but null is given"),
        ("config.latent_dim", 10**12, r"of 'encoder\.\S+' it has float32 .*, where float32 \[2000000000000, 8\]"),
        ("config.latent_dim", 10**30, "model.json: no memory holds it"),
        ("config.latent_dmi", 3, "model.json: config.latent_dmi: unknown key. Did you mean 'latent_dim'"),
        ("data_spec", [], "model.json: data_spec: .* dictionary"),
        ("data_spec.channels", -1, "model.json: data_spec.channels: .*1, but -1 is given"),
        ("data_spec.height", 10**9, "model.json: data_spec.height: .*65536, but 1000000000 is given"),
        ("data_spec.classes", "ab", 'model.json: data_spec.classes: .* list, but "ab" is given'),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_the_remedy(folder: Path, key: str, value: object, said: str) -> None:
    changed(folder / "model.json", key, value)
    with pytest.raises(CheckpointError, match=f"(?s){said}.*Delete .*model and run `dvc repro`"):
        load_model(folder)


@pytest.mark.parametrize("text", ["null", "[]", "7", '"vae"', "[" * 100_000, "9" * 5000, "\udc80"])
def test_what_is_no_mapping_is_no_model(folder: Path, text: str) -> None:
    (folder / "model.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(CheckpointError, match=r"model\.json: "):
        load_model(folder)


def test_weights_of_another_type_are_refused(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes().replace(b'"F32"', b'"I32"', 1))
    with pytest.raises(CheckpointError, match=r"it has int32 .*, where float32 .* is needed"):
        load_model(folder)


def test_a_path_may_be_text(folder: Path, tmp_path: Path) -> None:
    again, samples = str(tmp_path / "again"), str(tmp_path / "samples")
    model, spec = load_model(str(folder))
    save_model(model, "vae", registry.load("models", "vae").Config(**KNOBS), spec, again)
    save_samples(Samples(generate_samples(model, 2, seed=0)), samples)
    assert (load_samples(samples).images == generate_samples(load_model(again)[0], 2, seed=0)).all()


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for split in ("train", "test"):
        np.save(images_file(tmp_path / "data", split), np.arange(6 * 64).astype(np.uint8).reshape(6, 1, 8, 8))
    write_meta(tmp_path / "data", SPEC, horizontal_flip=True, broken=["a"])
    return tmp_path / "data"


@pytest.fixture
def extractor(prepared: Path, tmp_path: Path) -> Path:
    kind = registry.load("extractors", "classifier")
    config = kind.Config(channels=[4], features=4)
    store_reference("classifier", config, kind(config, SPEC), "key", Prepared.open(prepared), tmp_path / "seen")
    return tmp_path / "seen"


@pytest.mark.parametrize(
    ("key", "value"), [("sha256", 7), ("horizontal_flip", "no"), ("data_spec.width", 0), ("data_spec", None)]
)
def test_a_data_set_that_says_nonsense_of_itself_is_named(prepared: Path, key: str, value: object) -> None:
    changed(prepared / "meta.json", key, value)
    with pytest.raises(DataError, match=f"meta.json: {key}: .*Delete .* and run `dvc repro`"):
        Prepared.open(prepared)


def test_evidence_that_says_nonsense_of_itself_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "about.json", [])
    with pytest.raises(DataError, match=r"about\.json is no mapping but list"):
        about_evidence(tmp_path)


@pytest.fixture
def bounded() -> Iterator[None]:
    """Memory for 2 GB more than there is now."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2 * 10**9, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


ODD = (None, True, -1, 0, 1, 2, 3, 65_536, 10**9, 10**12, 2**63, 10**30, 0.5, 1e308, "", "../vae", "pca", [], {}, [7])


def mutated_json(text: str, rng: random.Random) -> str:
    """A JSON text with values changed, left out or added, or with a character changed or the rest cut off."""
    if rng.random() < 0.2:
        at = rng.randrange(len(text))
        new = rng.choice(["", rng.choice('"{}[],:0-e'), chr(rng.randrange(1, 300))])
        return text[:at] + new + rng.choice(["", text[at:], text[at + 1 :]])
    said = json.loads(text)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at = said
        while isinstance(at, dict | list) and at:
            key = rng.choice(list(at) if isinstance(at, dict) else range(len(at)))
            if not isinstance(at[key], dict | list) or not at[key] or rng.random() < 0.3:
                change(at, key, rng)
                break
            at = at[key]
    return json.dumps(said)


def change(at: Any, key: Any, rng: random.Random) -> None:
    match rng.randrange(5):
        case 0:
            del at[key]
        case 1 if isinstance(at, dict):
            at[rng.choice(("", "x", "latent_dim", f"{key}s"))] = at[key]
        case 2 if isinstance(at[key], int):
            at[key] = at[key] * rng.choice((-1, 2, 10, 10**6)) + rng.choice((0, 1))
        case _:
            at[key] = copy.deepcopy(rng.choice(ODD))


def mutated_bytes(content: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, most of them where a header is; or the end cut off."""
    if rng.random() < 0.1:
        return content[: rng.randrange(len(content))]
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[rng.randrange(min(len(content), rng.choice((8, 400, 2000, len(content)))))] = rng.randrange(256)
    return bytes(changed)


def survived(file: Path, mutated: Callable[[], bytes], use: Callable[[], object], number: int) -> None:
    """Whatever is in a file, using it gives something or raises one GenpipeError."""
    whole = file.read_bytes()
    for case in range(number):
        content = mutated()
        file.write_bytes(content)
        try:
            use()
        except GenpipeError:
            pass
        except BaseException as error:
            raise AssertionError(f"case {case}: {file.name} with {content[:600]!r}") from error
    file.write_bytes(whole)
    use()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("name", ["model.json", "about.json", "meta.json", "model.safetensors", "weights.safetensors"])
def test_no_file_makes_more_than_one_error(folder: Path, extractor: Path, prepared: Path, name: str) -> None:
    rng, images = random.Random(0), np.zeros((2, 1, 8, 8), np.uint8)
    uses: dict[Path, Callable[[], object]] = {
        folder: lambda: generate_samples(load_model(folder)[0], 2, seed=0),
        extractor: lambda: load_extractor(extractor)[0].extract(images),
        prepared: lambda: Prepared.open(prepared).images("test"),
    }
    home = next(home for home in uses if (home / name).exists())
    whole = (home / name).read_bytes()
    in_bytes = name.endswith("safetensors")
    mutated = mutated_bytes if in_bytes else lambda content, rng: mutated_json(content.decode(), rng).encode()
    survived(home / name, lambda: mutated(whole, rng), uses[home], cases(200))
