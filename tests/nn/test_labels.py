import pytest
import torch

from genpipe.errors import Unsuitable
from genpipe.interfaces.spec import DataSpec
from genpipe.nn.labels import beside, class_count

Y = torch.tensor([2, 0])


def test_a_code_is_followed_by_its_label() -> None:
    assert beside(torch.tensor([[0.5, 7.0], [0.25, 8.0]]), Y, 3).tolist() == [[0.5, 7, 0, 0, 1], [0.25, 8, 1, 0, 0]]


def test_an_image_is_followed_by_a_plane_a_class() -> None:
    x = torch.rand(2, 3, 4, 5)
    both = beside(x, Y, 3)
    assert torch.equal(both[:, :3], x)
    assert both[:, 3:].flatten(2).unique_consecutive(dim=2).squeeze(2).tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize(("classes", "has"), [((), "none"), (("all",), "1")])
def test_data_without_classes_is_refused(classes: tuple[str, ...], has: str) -> None:
    with pytest.raises(Unsuitable, match=f"labels of at least two classes, and this data set has {has}"):
        class_count(DataSpec(1, 8, 8, classes))
