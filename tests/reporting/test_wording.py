"""Figures are shown with the digits that tell them apart."""

import pytest

from genpipe.reporting import wording


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ([463073, 12], 0),
        ([110.0, 4.3127], 1),
        ([25.31, 4.3127], 2),
        ([0.05, 0.039], 3),
        ([25.5, 0.0031], 4),
        ([0.0], 0),
        ([], 0),
    ],
)
def test_decimals(values: list[float], decimals: int) -> None:
    assert wording.decimals(values) == decimals


def test_number() -> None:
    assert wording.number(None) == "–"
    assert wording.number(-1234.5, 1) == "−1,234.5"
    assert wording.number(-1.25e-9) == "−1.25e−09"
    assert wording.number(0.0123) == "0.0123"


def test_names() -> None:
    assert wording.joined(["a", "b", "c"]) == "a, b and c"
    assert wording.count(1, "experiment") == "one experiment"
    assert wording.count(20, "experiment") == "20 experiments"
    assert wording.fact("extractor_sha256", "ab" * 32) == "abababababab"
    assert wording.fact("seed", 123456) == "123456"
    assert wording.fact("fake_images", 10000) == "10,000"


def test_markdown_shows_text_as_it_is() -> None:
    assert wording.markdown("<b>|*x*_y_") == "&lt;b&gt;\\|\\*x\\*\\_y\\_"
