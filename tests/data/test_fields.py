"""Fields of images: declared, made square with their images, stored, and in batches as a model asks for them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genpipe.dataset import batches
from genpipe.dataset.batches import BatchLoader, StoredField
from genpipe.dataset.fitting import fitted
from genpipe.dataset.preparing import prepare
from genpipe.dataset.storage import Prepared, field_file
from genpipe.errors import DataError
from genpipe.interfaces.phases import Batch
from genpipe.interfaces.sources import Chunk, Collection, EncodedImage, Source
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.schema import Strict

N = 12
CPU = torch.device("cpu")
FIELDS = {
    "twin": FieldSpec("image", (3, 0, 0)),
    "film": FieldSpec("frames", (2, 3, 0, 0)),
    "parts": FieldSpec("label_map", (0, 0), 4),
    "many": FieldSpec("label_map", (0, 0), 1000),
    "hole": FieldSpec("mask", (1, 0, 0)),
    "words": FieldSpec("tokens", (5,), 7),
    "traits": FieldSpec("attributes", (3,)),
    "kind": FieldSpec("class", (), 300),
    "angle": FieldSpec("number"),
    "point": FieldSpec("number", (2,)),
}
DTYPES = {
    "twin": torch.float32, "film": torch.float32, "parts": torch.int64, "many": torch.int64, "hole": torch.float32,
    "words": torch.int64, "traits": torch.float32, "kind": torch.int64, "angle": torch.complex128,
    "point": torch.float64,
}  # fmt: skip


def given(height: int, width: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Images [12 h w 3], and a value of each field; all that has their shape is made of them."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (N, height, width, 3), dtype=np.uint8)
    return images, {
        "twin": images,
        "film": np.stack([images, 255 - images], axis=1),
        "parts": images[..., 0] // 64,
        "many": images[..., 0].astype(np.uint16) * 3,
        "hole": images[..., 0] > 99,
        "words": rng.integers(0, 7, (N, 5)),
        "traits": rng.integers(0, 2, (N, 3)).astype(bool),
        "kind": np.arange(N, dtype=np.uint16) * 20,
        "angle": np.exp(1j * np.arange(N)),
        "point": rng.normal(size=(N, 2)),
    }


class Given(Source):
    """Images, pixels or files, with fields that it declares."""

    class Config(Strict): ...

    classes, channels = (), 3

    def __init__(self, images: Any, values: Mapping[str, np.ndarray], fields: Mapping[str, FieldSpec]) -> None:
        self.images, self.values, self.declared = images, values, fields

    @property
    def fields(self) -> Mapping[str, FieldSpec]:
        return self.declared

    def collection(self, seed: int) -> Collection:
        return Collection(lambda rows: [Chunk(self.images, self.values)], np.arange(N) % 2, None)


def made(folder: Path, source: Source, size: int = 8, resize_mode: str = "crop", **knobs: Any) -> Prepared:
    return prepare(source, image_size=size, resize_mode=resize_mode, seed=0, folder=folder, workers=1, **knobs)


def loader(prepared: Prepared, size: int = 6) -> BatchLoader:
    return BatchLoader.of(prepared, size=size, seed=0, device=CPU, fields=prepared.spec.fields)


@pytest.mark.parametrize("resize_mode", ["crop", "random_crop", "pad", "stretch"])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 24), (24, 16), (5, 5)])
def test_a_field_is_cut_as_its_image_is(tmp_path: Path, resize_mode: str, height: int, width: int) -> None:
    images, values = given(height, width)
    prepared = made(tmp_path / "o", Given(images, values, FIELDS), resize_mode=resize_mode)
    x = prepared.images("train")
    np.testing.assert_array_equal(prepared.field("train", "twin"), x)
    film = prepared.field("train", "film")
    np.testing.assert_array_equal(film[:, 0], x)
    assert np.abs(film[:, 1].astype(int) - (255 - x))[x > 0].max() <= 1, "the black around a padded image is black"
    parts, hole, many = (prepared.field("train", name) for name in ("parts", "hole", "many"))
    assert (parts.dtype, hole.dtype, many.dtype) == (np.uint8, np.uint8, np.int32)
    np.testing.assert_array_equal(parts, many // 3 // 64, "labels of one pixel are of one pixel")
    np.testing.assert_array_equal(hole[:, 0], many // 3 > 99)
    if (height, width) == (8, 8):
        np.testing.assert_array_equal(parts, x[:, 0] // 64)


def test_the_nearest_pixels_are_taken_from_where_the_image_is_cut() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        height, width, size = rng.integers(1, 40, 3).tolist()
        places = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1).astype(np.int32)
        tall, wide = (round(side * (size / min(height, width))) for side in (height, width))
        begin = np.array([int(0.7 * (tall - size + 1)), int(0.3 * (wide - size + 1))])
        for fit, first, scaled in (("random_crop", begin, (tall, wide)), ("stretch", [0, 0], (size, size))):
            found = fitted(places[None], size, fit, [(0.7, 0.3)], nearest=True)[0]
            for axis, length in enumerate((height, width)):
                middles = (np.arange(size) + first[axis] + 0.5) * length / scaled[axis]
                taken = np.moveaxis(found[..., axis], axis, -1)
                assert (np.abs(taken + 0.5 - middles) <= 0.5 + 1e-9).all()


def test_fields_of_picture_files_follow_them_and_go_with_the_broken_ones(
    tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    files: list[EncodedImage] = [(f"{n}.png", picture(n, 10)) for n in range(N)]
    files[2] = ("2.png", b"broken")
    labels = np.broadcast_to(np.arange(N, dtype=np.uint8)[:, None, None], (N, 10, 10))
    source = Given(files, {"parts": labels}, {"parts": FieldSpec("label_map", (0, 0), N)})
    prepared = made(tmp_path / "o", source, resize_mode="random_crop", skip_broken=True)
    assert prepared.field("train", "parts")[:, 0, 0].tolist() == [0, 4, 6, 8, 10]
    assert prepared.field("train", "parts").shape == (5, 8, 8)
    files[3] = ("3.png", picture(3, 11))
    with pytest.raises(DataError, match=r"the field 'parts' is 10×10, and its image 11×11; give both the same size"):
        made(tmp_path / "p", source, skip_broken=True)


def everything(found: list[Batch]) -> list[Any]:
    return [
        [batch.x.tolist(), *(batch.fields[name].to(torch.complex128).tolist() for name in FIELDS)] for batch in found
    ]


def test_a_batch_has_a_tensor_of_the_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = made(tmp_path / "o", Given(*given(8, 8), FIELDS), horizontal_flip=True)
    kept = loader(prepared)
    found = [*(kept.batch(k) for k in (0, 1, 5)), *kept.in_order()]
    for batch in found:
        assert {name: values.dtype for name, values in batch.fields.items()} == DTYPES
        shapes = {name: tuple(values.shape[1:]) for name, values in batch.fields.items()}
        assert shapes == {name: spec.resized(8, 8).shape for name, spec in FIELDS.items()}
        pixels = (batch.x[:, 0] + 1) * 127.5
        assert torch.equal(batch.fields["twin"], batch.x), "mirrored with its image"
        torch.testing.assert_close(batch.fields["film"], torch.stack([batch.x, -batch.x], 1))
        assert torch.equal(batch.fields["parts"], (pixels.round() // 64).long())
        assert torch.equal(batch.fields["hole"][:, 0], (pixels.round() > 99).float())
    monkeypatch.setattr(batches, "_fits", lambda *_: False)
    streamed = loader(prepared)
    assert isinstance(streamed._fields["twin"], np.memmap), "it stays on the disk as the images do"
    assert everything([*(streamed.batch(k) for k in (0, 1, 5)), *streamed.in_order()]) == everything(found)


def test_some_of_the_images_are_mirrored_with_their_fields_and_no_numbers_are(tmp_path: Path) -> None:
    prepared = made(tmp_path / "o", Given(*given(8, 8), FIELDS), horizontal_flip=True)
    plain = next(loader(prepared).in_order())
    batch = loader(prepared).batch(0)
    order = [plain.fields["kind"].tolist().index(kind) for kind in batch.fields["kind"].tolist()]
    mirrored = (batch.x != plain.x[order]).flatten(1).any(1)
    assert 0 < mirrored.sum() < 6
    for name in ("words", "traits", "angle", "point"):
        assert torch.equal(batch.fields[name], plain.fields[name][order])


def test_room_is_counted_for_the_fields_too(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(batches, "_fits", lambda size, _: bool(asked.append(size)))
    field = StoredField(np.zeros((4, 10, 10), np.uint8), FieldSpec("label_map", (10, 10), 2))
    BatchLoader(np.zeros((4, 1, 10, 10), np.uint8), None, size=2, seed=0, device=CPU, fields={"parts": field})
    assert asked == [800]


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("twin", np.zeros((N, 8, 8, 3)), r"'twin' came as float64 \(12, 8, 8, 3\); of kind image .* uint8 \[n h w c\]"),
        ("twin", np.zeros((N, 8, 8, 1), np.uint8), r"'twin' has rows of shape \(1, 8, 8\); \(3, 8, 8\) was declared"),
        ("twin", np.zeros((N, 4, 4, 3), np.uint8), r"'twin' is 4×4, and its image 8×8"),
        ("parts", np.full((N, 8, 8), 4), r"'parts' of kind label_map has values from 4 to 4; .* from 0 to 3"),
        ("parts", np.zeros((N, 1, 8, 8), np.uint8), r"'parts' came as uint8 \(12, 1, 8, 8\)"),
        ("hole", np.full((N, 8, 8), 255), r"'hole' of kind mask has values from 255 to 255; .* from 0 to 1"),
        ("words", np.full((N, 5), -1), r"'words' of kind tokens has values from -1 to -1"),
        ("kind", np.array(["a"] * N), r"'kind' came as <U1 \(12,\); of kind class"),
        ("point", np.zeros((N, 3)), r"'point' has rows of shape \(3,\); \(2,\) was declared"),
        ("angle", np.zeros(N - 1), r"12 images came with 11 rows of the field 'angle'"),
        ("angle", None, r"12 images came with 0 rows of the field 'angle'"),
        ("angel", np.zeros(N), r"images came with 'angel', which is no field that the source declares"),
    ],
)
def test_what_is_not_as_declared_is_refused(tmp_path: Path, name: str, values: Any, message: str) -> None:
    images, others = given(8, 8)
    kept = {key: other for key, other in {**others, name: values}.items() if other is not None}
    with pytest.raises(DataError, match=message):
        made(tmp_path / "o", Given(images, kept, FIELDS))
    assert not list(tmp_path.iterdir())


def test_an_array_with_other_rows_than_there_are_images_is_refused(tmp_path: Path) -> None:
    prepared = made(tmp_path / "o", Given(*given(8, 8), FIELDS))
    file = field_file(prepared.folder, "train", "parts")
    np.save(file, np.load(file)[1:])
    with pytest.raises(DataError, match=r"parts\.npy holds \(5, 8, 8\), but \(6, 8, 8\) is needed\. Delete"):
        loader(prepared)


def test_fields_are_noted_and_data_of_before_still_open(tmp_path: Path) -> None:
    prepared = made(tmp_path / "o", Given(*given(8, 8), FIELDS))
    expected = {name: spec.resized(8, 8) for name, spec in FIELDS.items()}
    assert prepared.spec == DataSpec(3, 8, 8, fields=expected)
    assert Prepared.open(prepared.folder).spec.fields == expected
    meta = prepared.folder / "meta.json"
    said = json.loads(meta.read_text())
    for wrong in ("../angle", "no such kind"):
        other = {wrong: said["data_spec"]["fields"]["angle"]} if "/" in wrong else {"x": {"kind": wrong}}
        meta.write_text(json.dumps({**said, "data_spec": {**said["data_spec"], "fields": other}}))
        with pytest.raises(DataError, match=r"data_spec\.fields"):
            Prepared.open(prepared.folder)
    del said["data_spec"]["fields"]
    meta.write_text(json.dumps(said))
    older = Prepared.open(prepared.folder)
    assert older.spec == DataSpec(3, 8, 8)
    with pytest.raises(DataError, match="knows no 'angle' of its images"):
        older.field("train", "angle")


def test_a_data_set_without_fields_says_nothing_of_them(tmp_path: Path) -> None:
    prepared = made(tmp_path / "o", Given(given(8, 8)[0], {}, {}))
    assert "fields" not in json.loads((prepared.folder / "meta.json").read_text())["data_spec"]


def test_a_description_is_hashable_and_differs_by_its_fields() -> None:
    one, same, other = (DataSpec(1, 8, 8, fields={"x": FieldSpec("class", (), size)}) for size in (2, 2, 3))
    assert {one: "found"}[same] == "found"
    assert one != other
    assert DataSpec(3, 8, 8, fields=FIELDS).factors == ("kind", "angle")
    sides = FieldSpec("tokens", (2,), 3, ("", "Left", "shape"))
    assert (sides.names_sides, FieldSpec("class", (), 2, ("left", "right")).names_sides) == (True, False)
