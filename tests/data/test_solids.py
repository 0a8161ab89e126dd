from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from genpipe.data.solids import COLORS, REACH, SIDE, SOLIDS, Solids, orientations, rotations, views

STRAIGHT = np.eye(3)[None]


def test_quaternions_are_unit_and_their_matrices_scipys() -> None:
    q = orientations(np.arange(50), 3)
    np.testing.assert_allclose(np.linalg.norm(q, axis=1), 1)
    np.testing.assert_allclose(rotations(q), Rotation.from_quat(q, scalar_first=True).as_matrix(), atol=1e-12)
    np.testing.assert_array_equal(orientations(np.array([7]), 3), q[7:8])
    assert not np.allclose(orientations(np.arange(50), 4), q)


def test_orientations_are_uniform() -> None:
    """The angle of a uniform rotation has the density (1 − cos) / π, whose mean is π/2 + 2/π."""
    turned = 2 * np.arccos(np.abs(orientations(np.arange(4000), 0)[:, 0]))
    assert turned.mean() == pytest.approx(np.pi / 2 + 2 / np.pi, abs=4 * turned.std() / np.sqrt(4000))


def test_normals_are_unit_and_each_face_has_a_color() -> None:
    for faces in SOLIDS.values():
        np.testing.assert_allclose(np.linalg.norm(np.array(faces)[:, :3], axis=1), 1)
        assert len(faces) <= len(COLORS)


def test_a_box_from_the_front_is_a_rectangle_of_its_nearest_face() -> None:
    (image,) = views(np.array(SOLIDS["box"]), STRAIGHT)
    seen = (image > 0).any(2)
    scale = SIDE / (2 * REACH)
    assert seen.any(0).sum() == pytest.approx(2 * 0.9 * scale, abs=2)
    assert seen.any(1).sum() == pytest.approx(2 * 0.6 * scale, abs=2)
    np.testing.assert_array_equal(image[SIDE // 2, SIDE // 2], COLORS[4])


def test_what_turns_about_the_line_of_sight_turns_in_the_image() -> None:
    quarter = Rotation.from_euler("z", 90, degrees=True).as_matrix()[None]
    for faces in SOLIDS.values():
        (straight,), (turned,) = views(np.array(faces), STRAIGHT), views(np.array(faces), quarter)
        assert np.abs(np.rot90(straight).astype(int) - turned).mean() < 0.5


def test_a_solid_is_wholly_in_the_image_and_darker_where_it_looks_away() -> None:
    source = Solids(Solids.Config(images=60, test_images=6), Path())
    collection = source.collection(0)
    chunks = list(collection.read(np.arange(60)))
    images = np.concatenate([chunk.images for chunk in chunks])
    border = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1)
    assert images.shape == (60, SIDE, SIDE, 3)
    assert border.max() == 0
    assert (images.max((1, 2, 3)) > 80).all()
    some = next(iter(collection.read(np.array([5, 17, 40])))).images
    np.testing.assert_array_equal(some, images[[5, 17, 40]])
    q = np.stack([chunks[0].fields[name] for name in ("qw", "qx", "qy", "qz")], axis=1)
    np.testing.assert_array_equal(q, orientations(np.arange(60), 0))
    assert np.bincount(collection.labels).tolist() == [20, 20, 20]
