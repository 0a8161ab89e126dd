"""Fields that are made of images: stored beside them, or drawn for each training batch from its number alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genpipe import registry
from genpipe.dataset import deriving
from genpipe.dataset.batches import BatchLoader
from genpipe.dataset.preparing import prepare
from genpipe.dataset.storage import Prepared, field_file
from genpipe.errors import DataError, Unsuitable
from genpipe.interfaces.phases import Batch
from genpipe.interfaces.sources import Chunk, Collection, Source
from genpipe.interfaces.spec import FieldSpec
from genpipe.nn.pixel_range import to_pixels
from genpipe.schema import Strict

CPU = torch.device("cpu")
ALL: dict[str, dict[str, Any]] = {
    "edges": {}, "grayscale": {}, "low_resolution": {"factor": 2}, "morphology": {}, "holes": {}, "noise": {},
}  # fmt: skip
RANDOM = {"holes", "noise"}


class Given(Source):
    """24 pictures of 16×16 colored pixels."""

    class Config(Strict): ...

    classes, channels = (), 3

    def __init__(self, fields: dict[str, FieldSpec] | None = None) -> None:
        self.images = np.random.default_rng(0).integers(0, 256, (24, 16, 16, 3), dtype=np.uint8)
        self.declared = fields or {}

    @property
    def fields(self) -> dict[str, FieldSpec]:
        return self.declared

    def collection(self, seed: int) -> Collection:
        return Collection(lambda rows: [Chunk(self.images[rows])], np.arange(24) % 2, None)


def made(folder: Path, derive: dict[str, dict[str, Any]] = ALL, *, seed: int = 0, **knobs: Any) -> Prepared:
    configs = {name: registry.load("derivations", name).Config(**given) for name, given in derive.items()}
    return prepare(
        Given(), image_size=8, resize_mode="crop", seed=seed, folder=folder, workers=1, derive=configs, **knobs
    )


def loader(prepared: Prepared, *names: str, **knobs: Any) -> BatchLoader:
    return BatchLoader.of(prepared, **{"size": 6, "seed": 0, "device": CPU, "fields": names, **knobs})


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.x, other.x) and all(torch.equal(x, other.fields[name]) for name, x in one.fields.items())


def test_fields_are_made_of_the_finished_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = made(tmp_path / "a")
    shapes = {name: (field.kind, field.shape) for name, field in Prepared.open(prepared.folder).spec.fields.items()}
    assert shapes == {
        "edges": ("image", (1, 8, 8)),
        "grayscale": ("image", (1, 8, 8)),
        "low_resolution": ("image", (3, 4, 4)),
        "morphology": ("image", (3, 8, 8)),
        "holes": ("mask", (1, 8, 8)),
        "noise": ("image", (3, 8, 8)),
    }
    for split in ("train", "test"):
        for name in ALL.keys() - RANDOM:
            kind = registry.load("derivations", name)
            expected = kind(kind.Config(**ALL[name]), prepared.spec).rows(prepared.images(split), [])
            np.testing.assert_array_equal(prepared.field(split, name), expected)
    monkeypatch.setattr(deriving, "_CHUNK_BYTES", 500)
    chunked = made(tmp_path / "b")
    assert chunked.sha256 == prepared.sha256, "the same rows, two images at a time"


def test_of_random_fields_those_of_held_out_images_are_stored(tmp_path: Path) -> None:
    prepared = made(tmp_path / "a")
    few, other = made(tmp_path / "b", max_images=5), made(tmp_path / "c", seed=1)
    for name in RANDOM:
        assert not field_file(prepared.folder, "train", name).exists()
        with pytest.raises(DataError, match=f"'{name}' is drawn anew for each batch"):
            prepared.field("train", name)
        rows = prepared.field("test", name)
        assert len({row.tobytes() for row in rows}) == len(rows) == 12
        assert not np.array_equal(rows, other.field("test", name))
    expected = prepared.field("test", "holes")[:5]
    np.testing.assert_array_equal(few.field("test", "holes"), expected, "by the number of the row alone")


def test_knobs_of_random_fields_are_noted_and_count(tmp_path: Path) -> None:
    prepared = made(tmp_path / "a", {"noise": {"std": 20.0}, "edges": {}})
    assert prepared.random_fields == {"noise": {"std": 20.0}}
    held_out = prepared.images("test").astype(int)
    assert np.abs(prepared.field("test", "noise") - held_out).max() < 20 * 6
    meta = json.loads((prepared.folder / "meta.json").read_text())
    meta["random_fields"]["noise"] = {"sdt": 20.0}
    (prepared.folder / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(Exception, match=r"random_fields\.noise\.sdt: unknown key"):
        loader(Prepared.open(prepared.folder), "noise")
    assert len({made(tmp_path / f"{std}", {"noise": {"std": std}}).sha256 for std in (20.0, 20.0001)}) == 2


def test_a_batch_has_what_is_drawn_of_its_images(tmp_path: Path) -> None:
    batches = loader(made(tmp_path / "a"), *ALL)
    batch, later = batches.batch(0), batches.batch(2)
    assert set(batch.fields) == set(ALL)
    assert set(batch.fields["holes"].unique().tolist()) == {0.0, 1.0}
    assert 0.1 <= batch.fields["holes"].mean() <= 0.4
    difference = to_pixels(batch.fields["noise"]).int() - to_pixels(batch.x).int()
    assert 20 < difference.float().std() < 27
    assert not torch.equal(batch.fields["holes"], later.fields["holes"]), "drawn anew"
    again = loader(made(tmp_path / "b"), *ALL)
    assert same(again.batch(2), later), "a batch depends on its number alone"
    assert not torch.equal(
        loader(made(tmp_path / "c"), "holes", seed=1).batch(0).fields["holes"], batch.fields["holes"]
    )
    assert same(batch, loader(made(tmp_path / "d"), *reversed(ALL)).batch(0)), "and a field on its name"


def test_processes_share_what_is_drawn(tmp_path: Path) -> None:
    prepared = made(tmp_path / "a", horizontal_flip=True)
    whole = loader(prepared, *ALL)
    for number in (0, 3):
        expected = whole.batch(number)
        parts = [loader(prepared, *ALL, part=(k, 3)).batch(number) for k in range(3)]
        joined = {name: torch.cat([part.fields[name] for part in parts]) for name in ALL}
        assert same(expected, Batch(torch.cat([part.x for part in parts]), None, joined))


def test_what_is_drawn_follows_the_mirrored_image(tmp_path: Path) -> None:
    plain, mirrored = (
        loader(made(tmp_path / f"{flip}", horizontal_flip=flip), *ALL).batch(0) for flip in (False, True)
    )
    turned = (plain.x != mirrored.x).flatten(1).any(1)
    assert 0 < turned.sum() < 6
    for name in ("edges", "grayscale", "low_resolution", "morphology"):
        where = turned.view(-1, 1, 1, 1)
        expected = torch.where(where, plain.fields[name].flip(-1), plain.fields[name])
        assert torch.equal(mirrored.fields[name], expected), name
    assert torch.equal(mirrored.fields["holes"], plain.fields["holes"]), (
        "a mask of the mirrored image, mirrored no more"
    )
    noise = [to_pixels(b.fields["noise"]).int() - to_pixels(b.x).int() for b in (plain, mirrored)]
    assert (noise[0] - noise[1]).abs().float().median() <= 1, "but for what is cut off, the same noise on both"


def test_numbers_of_other_fields_and_images_are_as_without(tmp_path: Path) -> None:
    prepared, plain = made(tmp_path / "a", horizontal_flip=True), made(tmp_path / "b", {}, horizontal_flip=True)
    assert not plain.random_fields
    assert "random_fields" not in (plain.folder / "meta.json").read_text()
    for number in (0, 5):
        assert torch.equal(loader(prepared, *ALL).batch(number).x, loader(plain).batch(number).x)


def test_a_pass_in_order_has_each_row_once_and_for_good(tmp_path: Path) -> None:
    prepared = made(tmp_path / "a", horizontal_flip=True)
    found = [torch.cat([b.fields["holes"] for b in loader(prepared, "holes", size=size).in_order()]) for size in (6, 5)]
    assert torch.equal(*found)
    assert len({row.numpy().tobytes() for row in found[0]}) == 12


class Wrong(registry.load("derivations", "noise")):  # type: ignore[misc]
    """A derivation that does not give what it says."""

    def rows(self, images: np.ndarray, rngs: Any) -> np.ndarray:
        return images / 255


def test_what_a_derivation_makes_is_held_to_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.load("derivations", "noise"), "rows", Wrong.rows)
    with pytest.raises(DataError, match=r"'noise' made float64 \(12, 3, 8, 8\); uint8 \(12, 3, 8, 8\) is needed"):
        made(tmp_path / "a", {"noise": {}})


def test_a_field_that_the_source_has_is_refused_before_images_are_read(tmp_path: Path) -> None:
    source = Given({"edges": FieldSpec("image", (1, 0, 0))})
    config = registry.load("derivations", "edges").Config()
    with pytest.raises(Unsuitable, match="the images have a field 'edges' already"):
        prepare(source, image_size=8, resize_mode="crop", seed=0, folder=tmp_path / "a", derive={"edges": config})
