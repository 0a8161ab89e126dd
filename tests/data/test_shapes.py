"""What is said of drawn shapes, measured again on their pixels."""

from pathlib import Path

import numpy as np
import pytest

from genpipe.data import shapes
from genpipe.data.shapes import BACKGROUND, COLORS, KINDS, STROKE, Shapes
from genpipe.dataset.preparing import prepare
from genpipe.interfaces.sources import Chunk

INK = np.array(list(COLORS.values()))


@pytest.fixture(scope="module")
def drawn() -> Chunk:
    source = Shapes(Shapes.Config(images=200, test_images=20), Path())
    (chunk,) = source.collection(0).read(np.arange(200))
    return chunk


def cover(image: np.ndarray, color: int) -> np.ndarray:
    """The share of ink in each pixel, from the channel in which ink and ground differ most."""
    channel = int(np.abs(INK[color] - BACKGROUND).argmax())
    return (BACKGROUND - image[..., channel].astype(float)) / (BACKGROUND - INK[color][channel])


def middle(weights: np.ndarray) -> tuple[float, float]:
    points = np.arange(64) + 0.5
    return (weights.sum(1) @ points) / weights.sum(), (weights.sum(0) @ points) / weights.sum()


def area(kind: int, radius: float) -> float:
    if KINDS[kind] == "disc":
        return np.pi * radius**2
    corners = (0, 4, 3, 5)[kind]
    if KINDS[kind] == "star":
        return corners * radius * 0.45 * radius * np.sin(np.pi / corners)
    return corners / 2 * radius**2 * np.sin(2 * np.pi / corners)


def test_the_middle_is_where_it_is_said_to_be(drawn: Chunk) -> None:
    for i, image in enumerate(drawn.images):
        row, column = middle(cover(image, drawn.fields["color"][i]))
        assert abs(row - drawn.fields["row"][i]) < 0.15
        assert abs(column - drawn.fields["column"][i]) < 0.15


def test_the_area_gives_the_radius(drawn: Chunk) -> None:
    for i in np.flatnonzero(drawn.fields["style"] == 0):
        measured = cover(drawn.images[i], drawn.fields["color"][i]).sum()
        expected = area(drawn.fields["kind"][i], drawn.fields["radius"][i])
        assert abs(measured / expected - 1) < 0.03, drawn.fields["caption"][i]


def test_an_outline_is_the_shape_less_its_inside(drawn: Chunk) -> None:
    for i in np.flatnonzero((drawn.fields["style"] == 1) & (drawn.fields["kind"] == 0)):
        radius = drawn.fields["radius"][i]
        expected = np.pi * (radius**2 - (radius - STROKE) ** 2)
        assert abs(cover(drawn.images[i], drawn.fields["color"][i]).sum() / expected - 1) < 0.02


def test_the_color_is_the_ink(drawn: Chunk) -> None:
    for i, image in enumerate(drawn.images):
        full = image[cover(image, drawn.fields["color"][i]) > 0.999]
        assert len(full) > 10
        assert (full == INK[drawn.fields["color"][i]]).all()
        assert (image[0, 0] == BACKGROUND).all()


def test_the_angle_points_to_a_corner(drawn: Chunk) -> None:
    for i in np.flatnonzero(drawn.fields["kind"] > 0):
        mask = drawn.fields["label_map"][i] > 0
        down, right = np.nonzero(mask)
        down, right = down + 0.5 - drawn.fields["row"][i], right + 0.5 - drawn.fields["column"][i]
        away = np.hypot(down, right)
        turn = 360 / (0, 4, 3, 5)[drawn.fields["kind"][i]]
        angle = np.angle(drawn.fields["angle"][i]) / (2 * np.pi) * turn
        corner = np.rad2deg(np.arctan2(-down, right))[away.argmax()] - 90 - angle
        assert abs((corner + turn / 2) % turn - turn / 2) < 9
        assert abs(drawn.fields["angle"][i]) == pytest.approx(1)


def words(caption: np.ndarray) -> str:
    return " ".join(shapes.WORDS[number] for number in caption if number)


def test_captions_are_told_apart_by_their_words_and_are_none_too_long() -> None:
    places = [f"{down} {across}".strip() for down in shapes.DOWN for across in shapes.ACROSS]
    said = [f"a {size} {style} {color} {kind} {place}" for size in shapes.SIZES for style in shapes.STYLES
            for color in COLORS for kind in KINDS for place in places]  # fmt: skip
    assert [words(row) for row in shapes.tokens(said)] == said


def test_maps_and_captions_say_what_is_drawn(drawn: Chunk) -> None:
    kinds, filled = drawn.fields["kind"], drawn.fields["style"] == 0
    for i in range(len(kinds)):
        ink = cover(drawn.images[i], drawn.fields["color"][i])
        label_map, edge_map = drawn.fields["label_map"][i], drawn.fields["edge_map"][i, ..., 0]
        assert set(np.unique(label_map)) == {0, kinds[i] + 1}
        assert (label_map[ink > 0.5] > 0).all()
        assert not filled[i] or (ink[label_map > 0] >= 0.49).all()
        assert set(np.unique(edge_map)) == {0, 255}
        between = (ink > 0.05) & (ink < 0.95)
        assert not filled[i] or (edge_map[between] == 255).mean() > 0.9
        caption = words(drawn.fields["caption"][i])
        assert KINDS[kinds[i]] in caption
        assert list(COLORS)[drawn.fields["color"][i]] in caption
        assert ("filled" in caption) == filled[i]


def test_an_image_depends_on_seed_and_number_alone(drawn: Chunk) -> None:
    source = Shapes(Shapes.Config(images=200, test_images=20), Path())
    (some,) = source.collection(0).read(np.array([5, 120]))
    assert (some.images == drawn.images[[5, 120]]).all()
    (other,) = source.collection(1).read(np.array([5]))
    assert (other.images[0] != drawn.images[5]).any()


def test_all_that_is_known_is_stored_beside_the_images(tmp_path: Path) -> None:
    source = Shapes(Shapes.Config(images=40, test_images=8), Path())
    prepared = prepare(source, image_size=32, resize_mode="crop", seed=0, folder=tmp_path / "o")
    assert prepared.field("test", "label_map").shape == (8, 32, 32)
    assert prepared.field("test", "edge_map").shape == (8, 1, 32, 32)
    assert words(prepared.field("train", "caption")[0]).startswith("a ")
    assert (prepared.field("train", "kind") == prepared.labels("train")).all()
    assert set(prepared.factors("test")) == set(shapes.Factors._fields), "neither maps nor captions are factors"
    assert [prepared.factors("test")[name].dtype.kind for name in ("kind", "radius", "angle")] == ["i", "f", "c"]
    assert set(shapes.Factors._fields) <= {
        f.stem.removeprefix("train_extra_") for f in (tmp_path / "o").glob("train_*")
    }


def test_in_a_sweep_one_thing_varies_and_sweeps_are_not_torn_apart(tmp_path: Path) -> None:
    source = Shapes(Shapes.Config(images=160, test_images=40, sweep_images=8), Path())
    (chunk,) = source.collection(0).read(np.arange(160))
    sweeps, varied = chunk.fields["sweep"].T
    names = {name: [name] for name in shapes.SWEPT} | {"look": ["kind", "color", "style"]}
    for sweep in range(20):
        mine = np.flatnonzero(sweeps == sweep)
        assert np.ptp(mine) == 7
        (kind,) = set(varied[mine])
        differing = {name for name in shapes.Factors._fields if len(set(chunk.fields[name][mine])) > 1}
        # another kind may be a disc, which has no angle
        assert differing - {"angle"} <= set(names[shapes.SWEPT[kind]])
        assert differing >= set(names[shapes.SWEPT[kind]]) - {"angle", "style"}
    parts = source.collection(0).splits
    assert all(len(set(parts[sweeps == sweep])) == 1 for sweep in range(20))
    assert parts.sum() == 40
    assert (source.collection(0).labels == chunk.fields["kind"]).all()
    prepared = prepare(source, image_size=16, resize_mode="crop", seed=0, folder=tmp_path / "o")
    assert "sweep" not in prepared.factors("train")


def test_sweeps_have_to_be_whole() -> None:
    with pytest.raises(ValueError, match="sweep_images is 7; make images and test_images multiples"):
        Shapes.Config(images=160, test_images=40, sweep_images=7)
