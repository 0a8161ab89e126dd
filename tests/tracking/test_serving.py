"""What a served model answers: images of the conditions that it was sent, and no more than is allowed."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModelContext

from genpipe import paths
from genpipe.config.project import load_project
from genpipe.errors import DataError, GenpipeError, UnknownName, UsageError
from genpipe.tracking.served import ServedModel, log_model
from genpipe.tracking.store import connection
from tests._picture_models import SIDE

Serve = Callable[[str], Any]


@pytest.fixture
def served(picture_models: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Makes a served model of one whose images are known, without MLflow's own files."""
    monkeypatch.chdir(picture_models)
    load_project()

    def serve(name: str) -> ServedModel:
        found = ServedModel()
        found.load_context(PythonModelContext({"model": str(paths.model(name))}, {}))
        return found

    return serve


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_a_model_of_mlflow_translates(
    served: Serve, picture_models: Path, empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = served("noisy")
    shutil.copytree(picture_models, tmp_path, dirs_exist_ok=True)
    shutil.copy(empty_store, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])  # MLflow adds the code of a model that it loads
    client, experiment = connection()
    run = client.create_run(experiment)
    log_model(run, paths.model("noisy").resolve())
    loaded, edges = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model"), noise(2, 1, SIDE, SIDE)
    asked = {"n": 3, "seed": 5, "conditions": {"edges": edges.tolist()}}
    assert loaded.predict([asked]) == expected.predict([asked])


def test_translations_are_of_each_condition_in_turn(served: Serve) -> None:
    noisy, edges = served("noisy"), noise(2, 1, SIDE, SIDE)
    asked = {"n": 3, "seed": 5, "conditions": {"edges": edges.tolist()}}
    (made, again) = noisy.predict([asked, asked])
    assert made == again
    assert np.shape(made) == (6, 1, SIDE, SIDE)
    (plain,) = noisy.predict([{**asked, "options": {"amount": 0.0}}])
    assert plain == edges.repeat(3, 0).tolist()
    labels = np.arange(SIDE * SIDE).reshape(1, SIDE, SIDE) % 5
    (made,) = served("maps").predict([{"conditions": {"label_map": labels.tolist()}}])
    assert np.array(made)[:, 0].tolist() == np.rint(labels / 4 * 255).astype(int).tolist()


def test_holes_are_filled_and_attributes_set(served: Serve) -> None:
    x, holes = noise(2, 1, SIDE, SIDE), np.eye(SIDE, dtype=int)[None, None].repeat(2, 0)
    (made,) = served("filler").predict([{"conditions": {"x": x.tolist(), "holes": holes.tolist()}}])
    np.testing.assert_array_equal(made, np.where(holes, 255, x))
    attributes = [[1, 0, 1], [0, 1, 0]]
    (made,) = served("editor").predict([{"conditions": {"x": x.tolist(), "attributes": attributes}}])
    np.testing.assert_array_equal(np.array(made)[:, 0, 0, :3], np.array(attributes) * 255)
    np.testing.assert_array_equal(np.array(made)[:, :, 1:], x[:, :, 1:])


ONE = np.zeros((1, 1, SIDE, SIDE), int)


@pytest.mark.parametrize(
    ("name", "asked", "error", "said"),
    [
        ("noisy", {}, UsageError, "draws no samples without conditions: edges"),
        ("noisy", {"conditions": {"egdes": ONE}}, UnknownName, "Did you mean 'edges'"),
        ("filler", {"conditions": {"x": ONE}}, UsageError, "needs x, holes; 'holes' is missing"),
        (
            "noisy",
            {"conditions": {"edges": ONE[..., 1:]}},
            DataError,
            r"is int64 \[1, 1, 16, 15\]; whole numbers \['n'",
        ),
        ("noisy", {"conditions": {"edges": ONE + 256}}, DataError, "values from 256 to 256; images have 0 to 255"),
        ("noisy", {"conditions": {"edges": ONE + 0.5}}, DataError, "is float64"),
        ("noisy", {"conditions": {"edges": [[1, 2], [3]]}}, DataError, "lists of unequal lengths"),
        ("noisy", {"conditions": {"edges": ["x"]}}, DataError, "is <U1"),
        ("noisy", {"conditions": {"edges": []}}, DataError, r"is float64 \[0\]"),
        ("noisy", {"conditions": {"edges": 3}}, MlflowException, "list"),
        ("maps", {"conditions": {"label_map": ONE[0] + 7}}, DataError, "whole numbers from 0 to 4 are allowed"),
        ("filler", {"conditions": {"x": ONE, "holes": ONE.repeat(2, 0)}}, DataError, "each item needs one row of each"),
        ("filler", {"conditions": {"x": ONE, "holes": ONE + 2}}, DataError, "whole numbers from 0 to 1 are allowed"),
        ("maps", {"n": 2, "conditions": {"label_map": ONE[0]}}, UsageError, "has no noise and makes one"),
        ("noisy", {"n": 501, "conditions": {"edges": ONE.repeat(2, 0)}}, UsageError, "1,002 images are asked for"),
        ("noisy", {"options": {"to": 1}, "conditions": {"edges": ONE}}, UsageError, "`to` is no option"),
    ],
)
def test_what_a_served_model_cannot_take_is_said(
    served: Serve, name: str, asked: dict[str, Any], error: type[GenpipeError], said: str
) -> None:
    def as_sent(value: Any) -> Any:
        return value.tolist() if isinstance(value, np.ndarray) else value

    given = {**asked, "conditions": {k: as_sent(v) for k, v in asked.get("conditions", {}).items()}}
    with pytest.raises(error, match=said):
        served(name).predict([given])
