import numpy as np
import pytest

from genpipe.analyses.class_grid import ClassGrid, by_class
from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.spec import DataSpec
from genpipe.models.cvae import CVAE


@pytest.mark.parametrize(
    ("labels", "rows", "classes", "expected"),
    [
        ([0, 1, 2, 0, 1, 2, 0, 1, 2], 2, 20, [[0, 1, 2], [3, 4, 5]]),
        ([2, 2, 0, 1, 0, 2], 5, 20, [[2, 3, 0]]),
        ([0, 1, 2, 3, 0, 1, 2, 3], 1, 2, [[0, 1]]),
        ([0, 1], 5, 20, [[0, 1]]),
    ],
    ids=["in turn", "out of turn", "too many classes", "fewer samples than classes"],
)
def test_a_column_is_a_class(labels: list[int], rows: int, classes: int, expected: list[list[int]]) -> None:
    assert by_class(np.array(labels), rows, classes).tolist() == expected


def test_the_picture_has_a_column_a_class() -> None:
    labels = np.arange(12) % 3
    images = np.full((12, 1, 4, 4), labels[:, None, None, None] * 100, np.uint8)
    samples = FeatureSet(images, np.zeros((12, 1)), labels=labels)
    model = CVAE(CVAE.Config(architecture="mlp"), DataSpec(1, 4, 4, ("a", "b", "c")))
    found = ClassGrid(ClassGrid.Config(rows=2)).run(AnalysisContext(model, samples, Real(samples, samples), 0))
    picture, _ = found.pictures["class_grid"]
    assert picture.shape == (2 * 6 + 2, 3 * 6 + 2, 1)
    assert [picture[4, 4 + 6 * column, 0] for column in range(3)] == [0, 100, 200]
    assert np.array_equal(picture[2:6], picture[8:12])
