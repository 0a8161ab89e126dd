"""What is ranked with what, and how the table says it."""

from typing import Any

import pandas as pd
import pytest

from genpipe.reporting import leaderboard, reading


def test_real_images_come_first_and_the_best_next(two_scored: Any) -> None:
    rows = leaderboard.rows(two_scored.root)
    assert [(r["experiment"], r["state"]) for r in rows] == [
        ("real-held-out", "real"),
        ("second", "scored"),
        ("first", "scored"),
        ("third", "not run yet"),
    ]
    assert [r["fid_classifier"] for r in rows] == [4.25, 12.75, 25.5, None]
    assert [r["is_classifier"] for r in rows] == [9.5, 8.5, 6.5, None]
    assert [r["is_classifier_std"] for r in rows] == [None, 0.5, 0.25, None]
    assert [r["pixel_mse"] for r in rows] == [None, 0.015, None, None]
    assert [r["parameters"] for r in rows] == [None, 926146, 463073, None]


def test_every_row_has_the_same_keys_in_the_same_order(two_scored: Any) -> None:
    keys = [list(r) for r in leaderboard.rows(two_scored.root)]
    assert keys == [keys[0]] * 4
    assert keys[0][:6] == ["data", "experiment", "model", "state", "seed", "parameters"]
    assert keys[0][6:] == ["fid_classifier", "is_classifier", "is_classifier_std", "pixel_mse"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"fake_images": 500}, ("fake images 10,000", "fake images 500")),
        ({"extractor_sha256": "77" * 32}, ("extractor SHA-256 3f2a91c40000", "extractor SHA-256 777777777777")),
        ({"resizer": "area"}, ("resizer not recorded", "resizer area")),
    ],
)
def test_scores_made_differently_have_columns_of_their_own(project: Any, changed: dict, told: tuple[str, str]) -> None:
    project.scored("first", {"fid_classifier": 25.5}, fid_classifier=project.fid())
    project.scored("second", {"fid_classifier": 12.75}, fid_classifier=project.fid(**changed, real=2.5))
    real, *experiments = leaderboard.rows(project.root)
    one, other = (f"fid_classifier [{way}]" for way in told)
    assert "fid_classifier" not in real
    assert (real[one], real[other]) == (4.25, 2.5)
    assert [(r[one], r[other]) for r in experiments] == [(25.5, None), (None, 12.75), (None, None)]


def test_intervals_and_estimated_biases_differ_among_scores_that_are_made_in_the_same_way(project: Any) -> None:
    project.scored("first", {"fid_classifier": 25.5}, fid_classifier=project.fid(interval=[25, 26], bias_estimate=0.5))
    project.scored("second", {"fid_classifier": 12.75}, fid_classifier=project.fid(interval=[12.5, 13], real=2.5))
    assert [r["fid_classifier"] for r in leaderboard.rows(project.root)][1:] == [12.75, 25.5, None]


def test_data_sets_are_never_ranked_together(project: Any) -> None:
    project.scored("first", {"fid_classifier": 25.5}, fid_classifier=project.fid())
    project.scored("second", {"fid_classifier": 12.75}, fid_classifier=project.fid(real=1.5), data="letters")
    rows = [(r["data"], r["experiment"], r["fid_classifier"]) for r in leaderboard.rows(project.root)]
    assert rows == [
        ("digits", "real-held-out", 4.25),
        ("digits", "first", 25.5),
        ("digits", "third", None),
        ("letters", "real-held-out", 1.5),
        ("letters", "second", 12.75),
    ]


def test_the_best_is_the_lowest_or_the_highest_and_never_alone(two_scored: Any) -> None:
    (board,) = leaderboard.boards(reading.results(two_scored.root))
    best = {c.key: [r.name for r in board.results if r.how and c.is_best(r)] for c in board.columns}
    assert best == {"fid_classifier": ["second"], "is_classifier": ["second"]}
    two_scored.scored("first", {})
    (board,) = leaderboard.boards(reading.results(two_scored.root))
    assert not any(c.is_best(r) for c in board.columns for r in board.results)


def test_a_score_that_could_not_be_computed_is_no_score(project: Any) -> None:
    project.scored("first", {"fid_classifier": None}, fid_classifier=project.fid())
    project.scored("second", {"fid_classifier": 12.75}, fid_classifier=project.fid())
    assert [r["fid_classifier"] for r in leaderboard.rows(project.root)] == [4.25, 12.75, None, None]


def test_csv_holds_the_same_figures_unrounded(project: Any) -> None:
    third = 1 / 3
    project.scored("first", {"fid_classifier": third, "parameters": 463073}, fid_classifier=project.fid())
    table = pd.read_csv(leaderboard.write_csv(project.root), dtype=str)
    assert list(table["experiment"]) == ["real-held-out", "first", "second", "third"]
    assert table["fid_classifier"][1] == str(third)
    assert ",463073," in leaderboard.write_csv(project.root).read_text()


def told(project: Any, value: float, **changed: Any) -> str | None:
    """The caution about one score."""
    project.scored("first", {"fid_classifier": value}, fid_classifier=project.fid(**changed))
    (board,) = leaderboard.boards(reading.results(project.root))
    found = {(result.name, column.score): caution for result, column, caution in board.cautions}
    assert set(found) <= {("first", "fid_classifier")}
    return found.get(("first", "fid_classifier"))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, None),
        ({"bias_estimate": 1.0}, None),
        ({"bias_estimate": 2.1}, "Too few images: about 2.1 of this figure is bias."),
        ({"bias_estimate": 1.0, "feature_dimensions": 2048}, None),
        ({"feature_dimensions": 20480}, None),
        (
            {"bias_estimate": 1.0, "feature_dimensions": 20480},
            "Too few images (10,000 for 20,480 features): at least 1 of this figure is bias.",
        ),
        ({"bias_estimate": 2.1, "warning": "Look twice."}, "Look twice."),
    ],
)
def test_a_tenth_of_bias_or_fewer_images_than_features_is_told(project: Any, changed: dict, expected: str) -> None:
    assert told(project, 20.0, **changed) == expected


def test_intervals_and_cautions_are_no_reason_for_another_column(two_scored: Any) -> None:
    made = two_scored.fid(interval=[20.5, 30.5], bias_estimate=9.0, warning="Look.", feature_dimensions=128)
    two_scored.scored("first", {"fid_classifier": 25.5}, fid_classifier=made)
    (board,) = leaderboard.boards(reading.results(two_scored.root))
    column = board.columns[0]
    assert (column.key, len(column.holders)) == ("fid_classifier", 2)
    intervals = {result.name: column.interval(result) for result in board.results}
    assert intervals == {"first": (20.5, 30.5), "second": None, "third": None}


def test_the_ends_of_an_interval_stand_behind_its_score(project: Any) -> None:
    project.scored("first", {"fid_classifier": 25.5}, fid_classifier=project.fid(interval=[25, 26]))
    project.scored("second", {"fid_classifier": 12.75}, fid_classifier=project.fid())
    rows = leaderboard.rows(project.root)
    ends = [(row["fid_classifier_low"], row["fid_classifier_high"]) for row in rows]
    assert ends == [(None, None), (None, None), (25, 26), (None, None)]
    assert list(rows[0])[6:9] == ["fid_classifier", "fid_classifier_low", "fid_classifier_high"]
