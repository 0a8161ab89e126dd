"""A run is completed from the files whenever they are met again, and a complete one is left alone."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import mlflow
import pytest

from genpipe import paths, registry
from genpipe.config.project import Project
from genpipe.evaluation.scoring import evaluate
from genpipe.files import read_json
from genpipe.interfaces.metrics import Score
from genpipe.tracking.live import Live
from genpipe.tracking.runs import Tracker
from genpipe.training.curves import read_curves
from tests.tracking._runs import client, rows, runs


@contextmanager
def in_training(opened: Project) -> Iterator[None]:
    """A training goes on; it then is lost to MLflow, as when its server dies."""
    live = Live(Tracker(opened), opened.experiment("first"))
    live.open()
    try:
        yield
    finally:
        assert live.monitor
        live.monitor.finish()
        live.kept.close()


def assert_complete(run: mlflow.entities.Run) -> None:
    """All that is on disk is in the run."""
    history, scores = client().get_metric_history, read_json(paths.scores("first"))
    assert run.info.status == "FINISHED"
    assert run.data.params["optim.autoencoder.lr"] == "0.01"
    assert run.inputs.dataset_inputs[0].dataset.name == "tiny"
    assert run.data.tags["genpipe.warnings"] == "none"
    assert {name: run.data.metrics[name] for name in scores if name != "how"}.items() <= scores.items()
    assert [m.step for m in history(run.info.run_id, "autoencoder/loss")] == [2, 4, 6]
    by_step = [(m.step, m.value) for m in history(run.info.run_id, "by_step/fid_classifier")]
    assert by_step == [(row["step"], row["fid_classifier"]) for row in read_curves(paths.score_curves("first"))]
    assert len(history(run.info.run_id, "fid_classifier")) == 1, "the score of the finished model"
    assert "by_step/step" not in run.data.metrics
    assert "scores.json" in {a.path for a in client().list_artifacts(run.info.run_id)}
    assert [a.path for a in client().list_artifacts(run.info.run_id, "figures")] == ["figures/sample_grid.png"]
    model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    assert len(model.predict([{"n": 3, "seed": 5}])[0]) == 3


def test_the_run_of_a_training_that_lost_its_server_is_completed(scored: Project) -> None:
    with in_training(scored):
        pass
    (lost,) = runs()
    assert (lost.info.status, lost.data.metrics) == ("RUNNING", {})
    Tracker(scored).mirror(scored.experiment("first"))
    (run,) = runs()
    assert run.info.run_id == lost.info.run_id
    assert_complete(run)


def test_a_run_that_is_not_there_is_made_and_a_complete_one_is_not_written_to(scored: Project) -> None:
    Tracker(scored).mirror_all()
    (run,) = runs()
    assert_complete(run)
    before = rows(paths.tracking_store()), sorted(paths.tracking_artifacts().rglob("*"))
    Tracker(scored).mirror_all()
    Tracker(scored).mirror(scored.experiment("first"))
    assert (rows(paths.tracking_store()), sorted(paths.tracking_artifacts().rglob("*"))) == before
    client().delete_run(run.info.run_id)
    Tracker(scored).mirror_all()
    (remade,) = runs()
    assert remade.info.run_id != run.info.run_id
    assert_complete(remade)


def test_what_a_run_has_lost_or_got_late_is_added(scored: Project) -> None:
    """Parameters, for a server may die between two calls; pictures that were drawn anew."""
    Tracker(scored).mirror_all()
    with closing(sqlite3.connect(paths.tracking_store())) as store, store:
        for table in ("params", "inputs", "latest_metrics", "metrics"):
            store.execute(f"DELETE FROM {table} WHERE 1")
        store.execute("DELETE FROM tags WHERE key = 'genpipe.files'")
    Tracker(scored).mirror_all()
    assert_complete(runs()[0])
    picture = paths.figures("first") / "sample_grid.png"
    picture.write_bytes(picture.read_bytes() + b" ")
    Tracker(scored).mirror_all()
    (stored,) = paths.tracking_artifacts().rglob("sample_grid.png")
    assert stored.read_bytes() == picture.read_bytes()


def test_nobody_completes_the_run_of_a_training_that_goes_on(scored: Project) -> None:
    with in_training(scored):
        Tracker(scored).mirror_all()
        (run,) = runs()
        assert (run.info.status, run.data.metrics) == ("RUNNING", {})
        assert "genpipe.files" not in run.data.tags
        with pytest.warns(UserWarning, match=r"first: another process holds .*\.lock \(to write the MLflow run of fir"):
            Tracker(scored).mirror(scored.experiment("first"), wait_sec=0.0)
    Tracker(scored).mirror_all()
    assert_complete(runs()[0])


def test_two_trainings_of_the_same_never_share_a_run(scored: Project) -> None:
    with in_training(scored):
        told = pytest.warns(UserWarning, match=r"MLflow at .* is left out from here on: another process holds")
        with told, Tracker(scored).training(scored.experiment("first")) as second:
            pass
        assert second.run is None
        assert [run.info.status for run in runs()] == ["RUNNING"]


@pytest.mark.parametrize("missing", ["runs/first/model", "data/tiny", "reports/curves/first.csv"])
def test_an_experiment_of_which_only_scores_are_here_is_named(scored: Project, missing: str) -> None:
    Path(missing).rename("elsewhere")
    with pytest.warns(UserWarning, match="not brought up to date in MLflow: first: model, data or curves are not here"):
        Tracker(scored).mirror_all()
    Path("elsewhere").rename(missing)
    Tracker(scored).mirror_all()
    assert_complete(runs()[0])


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"how": {}}', '{"fid": 1e400, "how": {"key": "a"}}'])
def test_a_damaged_file_of_scores_is_named(scored: Project, text: str) -> None:
    paths.scores("first").write_text(text)
    with pytest.warns(UserWarning, match=r"first: reports/scores/first\.json is damaged .* Delete it and run `dvc rep"):
        Tracker(scored).mirror_all()


def test_a_figure_that_is_not_finite_is_null_and_named_and_the_others_stay(
    scored: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    inf = float("inf")
    odd = Score(inf, {"bias_estimate": float("nan"), "curve": [1.0, inf]}, interval=(0.0, inf))
    monkeypatch.setattr(registry.load("metrics", "fid"), "scores", lambda *_: {"fid_classifier": odd})
    with pytest.warns(UserWarning, match="is no figure") as told:
        evaluate(scored, scored.experiment("first"))
    told_texts = [str(warning.message) for warning in told]
    assert "fid_classifier is inf, which is no figure, and is left out." in told_texts
    assert "step 2: fid_classifier is inf, which is no figure, and is left out." in told_texts
    scores = read_json(paths.scores("first"))
    assert scores["fid_classifier"] is None
    assert scores["is_classifier"] > 0
    made = scores["how"]["fid_classifier"]
    assert (made["bias_estimate"], made["curve"], made["real"]) == (None, [1.0, None], None)
    assert "interval" not in made
    assert all("fid_classifier" not in row for row in read_curves(paths.score_curves("first")))
    Tracker(scored).mirror_all()
    assert "fid_classifier" not in runs()[0].data.metrics
    assert runs()[0].data.metrics["is_classifier"] == scores["is_classifier"]
