"""Which image is compared with which."""

import numpy as np
import pytest

from genpipe.dataset.natural_order import natural_order
from genpipe.errors import UsageError
from genpipe.evaluation.pairing import paired


def partners(names: list[str] | None, others: list[str] | None, n: int = 0, m: int = 0) -> list[int]:
    one, other = ("fake", len(names or [0] * n), names), ("real", len(others or [0] * m), others)
    return paired(one, other)[0].tolist()


@pytest.mark.parametrize(
    ("names", "others", "rows"),
    [
        (["b.png", "a.png"], ["a.png", "b.png"], [1, 0]),
        (["a.png", "b.png"], ["b.jpg", "a.JPG"], [1, 0]),
        (["10.png", "2.png", "1.png"], ["01.png", "02.png", "10.png"], [2, 1, 0]),
        (["007.png", "7.png"], ["7.png", "007.png"], [1, 0]),
        (["A/x/2.png", "A/y/1.png"], ["y/1.png", "x/2.png"], [1, 0]),
        (["cat/1.png", "dog/1.png"], ["dog/01.jpg", "cat/01.jpg"], [1, 0]),
        (["img2b10.png", "img2b9.png"], ["img02b09.jpg", "img02b10.jpg"], [1, 0]),
        (["é.png", "f.png"], ["f.png", "e\u0301.png"], [1, 0]),
    ],
)
def test_images_of_one_name_are_pairs(names: list[str], others: list[str], rows: list[int]) -> None:
    assert partners(names, others) == rows
    assert paired(("a", 2, names), ("b", 2, others))[1] == "by name"


def test_without_names_rows_are_pairs() -> None:
    rows, how = paired(("a.npy", 3, None), ("vae", 3, None))
    assert (rows.tolist(), how) == ([0, 1, 2], "by row")


def test_names_on_one_side_are_taken_in_their_natural_order_and_that_is_said() -> None:
    names = ["10.png", "9.png", "100.png"]
    rows, how = paired(("folder", 3, names), ("b.npy", 3, None))
    assert (rows.tolist(), how) == ([1, 0, 2], "row by row, folder in the natural order of its names")
    rows, how = paired(("a.npy", 3, None), ("folder", 3, names))
    assert (rows.tolist(), how) == ([1, 0, 2], "row by row, folder in the natural order of its names")
    shuffled = ["3.png", "1.png", "2.png"]
    assert partners(shuffled, None, m=3) == [1, 2, 0]
    assert partners(None, shuffled, n=3) == [2, 0, 1]


@pytest.mark.parametrize(
    ("names", "others", "said"),
    [
        (["a.png", "b.png"], ["a.png", "c.png"], "Alone are b.png of fake and c.png of real"),
        ([f"{k}.png" for k in range(12)], [f"{k}.png" for k in range(600)], "Alone are 12.png, 13.png, 14.png, "),
        (["cat/1.png", "dog/2.png"], ["cat/2.png", "dog/1.png"], "Alone are cat/1.png, dog/2.png of fake and"),
        (["7.png", "007.png"], ["7.jpg", "8.jpg"], "007.png, 7.png of fake and 7.jpg, 8.jpg of real"),
    ],
)
def test_what_has_no_partner_is_named(names: list[str], others: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        partners(names, others)


def test_no_more_than_five_are_named() -> None:
    with pytest.raises(UsageError, match=r"12.png, 13.png, 14.png, 15.png, 16.png and 583 more"):
        partners([f"{k}.png" for k in range(12)], [f"{k}.png" for k in range(600)])


@pytest.mark.parametrize("sides", [(None, None), (["a.png", "b.png"], None), (None, ["a.png"])])
def test_unequal_numbers_make_no_pairs(sides: tuple[list[str] | None, list[str] | None]) -> None:
    with pytest.raises(UsageError, match="pairs are compared, and fake has 2 images, real 1"):
        paired(("fake", 2, sides[0]), ("real", 1, sides[1]))


def test_the_natural_order_goes_folder_by_folder_and_by_the_value_of_numbers() -> None:
    names = ["10/a.png", "9/b.png", "9/a10.png", "9/a9.png", "x.png", f"{'9' * 5000}.png"]
    assert [names[row] for row in natural_order(names)] == [
        "9/a9.png", "9/a10.png", "9/b.png", "10/a.png", f"{'9' * 5000}.png", "x.png",
    ]  # fmt: skip
    assert np.array_equal(natural_order(["007.png", "7.png"]), natural_order(["007.png", "7.png"]))
