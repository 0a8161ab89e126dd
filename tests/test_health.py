"""Warnings: pure functions of the rows of the curves."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from genpipe import wiring
from genpipe.files import read_json
from genpipe.paths import reference_scores
from genpipe.running.health import ROWS, Health, warnings
from genpipe.running.inputs import Inputs
from genpipe.stages import reference
from genpipe.training.moments import Moment

Columns = Mapping[str, list[float]]


def curves(columns: Columns) -> list[dict[str, float]]:
    """Rows at the steps 10, 20 and so on."""
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [{"step": 10.0 * (place + 1), **row} for place, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"g/grad_norm": [1.0] * 7 + [250.0, 1.0]}, ["step 80: the gradient of 'g' was more than 100 times as long"]),
        ({"g/grad_norm": [1.0, 250.0]}, []),
        ({"g/grad_norm": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]}, []),
        ({"d/loss": [1.0] + [1e-4] * ROWS, "g/loss": [9.0] * (ROWS + 1)}, ["step 60: 'd' has won"]),
        ({"d/loss": [1.0] + [1e-4] * (ROWS - 1), "g/loss": [9.0] * ROWS}, []),
        ({"ae/loss": [1e-4] * 9}, []),
        ({"critic/loss": [-1e-4] * 9, "g/loss": [0.5] * 9}, []),
        ({"ae/loss": [5.0] * 6, "ae/kl_nats": [0.1] + [0.001] * 5}, ["step 60: the codes of 'ae' have collapsed"]),
        ({"ae/loss": [5.0] * 6, "ae/kl_nats": [0.001] * 4 + [0.1, 0.001]}, []),
        ({"g/skipped_share": [0.0, 0.5, 1.0]}, ["step 20: turns of 'g' are skipped"]),
        ({"g/x_nonfinite_share": [0.5, 1.0]}, ["step 10: 'g/x' is not finite in some turns"]),
        ({"rewinds": [1.0, 1.0, 2.0]}, ["step 10: something was not finite: went back", "step 30: something was"]),
    ],
)
def test_what_is_found_and_what_is_not(columns: Columns, found: list[str]) -> None:
    told = warnings(curves(columns))
    assert len(told) == len(found), told
    assert all(text.startswith(start) for text, start in zip(told, found, strict=True))


def test_a_finding_is_told_once_to_all_who_listen() -> None:
    heard: list[str] = []
    health = Health(heard.append, heard.append)
    for row in curves({"d/loss": [0.0] * 30, "g/loss": [3.0] * 30}):
        health(Moment(int(row["step"]), 300, row, 1.0))
    assert heard == 2 * health.found
    assert len(health.found) == 1


def test_a_column_may_be_missing_from_some_rows() -> None:
    rows = curves({"g/loss": [1.0] * 9, "d/loss": [1.0] * 9})
    for row in rows[::2]:
        del row["d/loss"]
    assert warnings(rows) == []


def test_the_stage_reference_tells_what_it_sees(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def make(
        _: object, name: str, watchers: list[Callable[[Moment], None]], verify: Callable[[], None]
    ) -> dict[str, float]:
        verify()
        for k, norm in enumerate([1.0] * 7 + [250.0]):
            for watcher in watchers:
                watcher(Moment(k, 8, {"step": float(k), "classifier/grad_norm": norm}, 1.0))
        return {"classifier_accuracy": 0.5}

    monkeypatch.setattr(reference, "make_references", make)
    (facts,) = reference.run("tiny", Inputs(project, wiring.stage(project, "reference", "tiny")))
    assert facts["warnings"] == ["step 7: the gradient of 'classifier' was more than 100 times as long as usual."]
    assert f"reference of tiny: warning: {facts['warnings'][0]}" in capsys.readouterr().out
    assert read_json(project / reference_scores("tiny")) == {"classifier_accuracy": 0.5}
