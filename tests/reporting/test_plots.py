"""Plots that are kept from one report to the next."""

from pathlib import Path

import pytest

from genpipe.reporting import plots
from genpipe.reporting.plots import Plots

STEPS, LOSSES = [1.0, 2.0, 3.0], [0.5, 0.25, 0.125]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The titles of the plots that are drawn."""
    titles, draw = [], plots._svg

    def noted(title: str, *points: object) -> str:
        titles.append(title)
        return draw(title, *points)

    monkeypatch.setattr(plots, "_svg", noted)
    return titles


def report(memory: Path, *titles: str, last: float = LOSSES[-1]) -> list[str]:
    with Plots(memory) as kept:
        return [kept.line(title, STEPS, [*LOSSES[:-1], last], f"vae-{title}") for title in titles]


def test_what_the_last_report_drew_is_not_drawn_again(tmp_path: Path, drawn: list[str]) -> None:
    first = report(tmp_path / "plots.json", "loss", "kl")
    assert report(tmp_path / "plots.json", "kl", "loss") == first[::-1]
    assert drawn == ["loss", "kl"]
    assert first[0].startswith("<svg")
    assert 'id="vae_45_loss-' in first[0]


def test_other_points_are_drawn_and_what_is_shown_no_more_is_forgotten(tmp_path: Path, drawn: list[str]) -> None:
    memory = tmp_path / "plots.json"
    report(memory, "loss", "kl")
    assert report(memory, "loss", last=0.1) != report(memory, "loss")
    report(memory, "kl")
    assert drawn == ["loss", "kl", "loss", "loss", "kl"]


def test_plots_of_another_style_are_drawn_anew(tmp_path: Path, drawn: list[str], monkeypatch) -> None:
    report(tmp_path / "plots.json", "loss")
    monkeypatch.setattr(plots, "version", lambda _: "0")
    report(tmp_path / "plots.json", "loss")
    assert drawn == ["loss", "loss"]


@pytest.mark.parametrize("damaged", ["", "[1]", '{"a": 1}', "{"])
def test_a_damaged_memory_is_none(tmp_path: Path, drawn: list[str], damaged: str) -> None:
    (tmp_path / "plots.json").write_text(damaged)
    report(tmp_path / "plots.json", "loss")
    report(tmp_path / "plots.json", "loss")
    assert drawn == ["loss"]
