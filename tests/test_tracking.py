"""Runs in MLflow: found, continued, remade, and never needed."""

import time
import warnings
from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from genpipe import config, paths
from genpipe.data._preparing import prepare
from genpipe.errors import NonFiniteLoss, Stopped, UsageError
from genpipe.evaluation import evaluate
from genpipe.files import read_json, write_json
from genpipe.modelfiles import load_model
from genpipe.sampling import Samples, draw, save_samples
from genpipe.teaching import make_references
from genpipe.tracking import Tracker, address
from genpipe.training.curves import read_curves
from genpipe.training.experiment import train
from genpipe.training.moments import Moment


@pytest.fixture
def prepared(project: Path) -> config.Project:
    """The project with its data prepared."""
    opened = config.load()
    prepare(opened.data("tiny").opened, size=8, fit="crop", seed=0, folder=project / paths.data("tiny"))
    return opened


def client() -> mlflow.MlflowClient:
    return mlflow.MlflowClient(address())


def runs() -> list[mlflow.entities.Run]:
    return client().search_runs([client().get_experiment_by_name("genpipe").experiment_id])


def trained(opened: config.Project, name: str = "first") -> None:
    experiment = opened.experiment(name)
    with Tracker(opened).training(experiment) as tracked:
        train(opened, experiment, [tracked])


def finished(opened: config.Project, name: str = "first") -> None:
    """Scores and pictures, as the later stages make them."""
    experiment = opened.experiment(name)
    make_references(opened, "tiny")
    model, _ = load_model(paths.model(name))
    save_samples(Samples(draw(model, 60, seed=0)), paths.samples(name))
    evaluate(opened, experiment)


def test_the_store_is_in_the_root_also_from_a_temporary_workspace(project: Path, monkeypatch, tmp_path: Path) -> None:
    assert address() == f"sqlite:///{project}/mlflow.db"
    monkeypatch.setenv("DVC_ROOT", "/elsewhere")
    assert address() == "sqlite:////elsewhere/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:1")
    assert address() == "http://localhost:1"


def test_a_training_is_one_finished_run_with_its_curves_and_a_model_that_serves(prepared: config.Project) -> None:
    trained(prepared)
    (run,) = runs()
    assert (run.info.run_name, run.info.status) == ("first", "FINISHED")
    assert run.data.params["optim.autoencoder.lr"] == "0.01"
    assert run.data.params["model.kl_weight"] == "1.0", "defaults count too"
    curve = client().get_metric_history(run.info.run_id, "autoencoder/loss")
    assert [m.step for m in curve] == [2, 4, 6]
    served = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    images = served.predict([{"n": 3, "seed": 5}])[0]
    model, _ = load_model(paths.model("first"))
    assert images == draw(model, 3, seed=5).tolist()
    for n in (0, 1001, 10**12):
        with pytest.raises(MlflowException, match="n"):
            served.predict([{"n": n}])
    with pytest.raises(UsageError, match="1,200 images are asked for at once; at most 1,000"):
        served.predict([{"n": 600}, {"n": 600}])


def test_a_training_that_is_stopped_goes_on_in_its_run_and_logs_no_step_twice(prepared: config.Project) -> None:
    experiment = prepared.experiment("first")

    def stop(moment: Moment) -> None:
        if moment.step == 4:
            raise KeyboardInterrupt

    tracker = Tracker(prepared)
    with pytest.raises(KeyboardInterrupt), tracker.training(experiment) as tracked:
        train(prepared, experiment, [tracked, stop])
    (run,) = runs()
    assert run.info.status == "KILLED"
    trained(prepared)
    (again,) = runs()
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "FINISHED")
    curve = client().get_metric_history(run.info.run_id, "autoencoder/loss")
    assert [m.step for m in curve] == [2, 4, 6]


def test_scores_and_pictures_join_the_run_and_a_lost_run_is_remade_from_files(prepared: config.Project) -> None:
    trained(prepared)
    finished(prepared)
    experiment = prepared.experiment("first")
    Tracker(prepared).mirror(experiment)
    (run,) = runs()
    scores = read_json(paths.scores("first"))
    assert run.data.metrics["fid_classifier"] == scores["fid_classifier"]
    assert {a.path for a in client().list_artifacts(run.info.run_id, "figures")} == {"figures/sample_grid.png"}
    client().delete_run(run.info.run_id)
    Tracker(prepared).mirror_all()
    (remade,) = runs()
    assert remade.info.run_id != run.info.run_id
    assert remade.data.params == run.data.params
    assert remade.data.metrics["fid_classifier"] == scores["fid_classifier"]
    curve = client().get_metric_history(remade.info.run_id, "autoencoder/loss")
    assert [m.step for m in curve] == [2, 4, 6]
    Tracker(prepared).mirror_all()
    assert len(runs()) == 1


def test_what_later_stages_warn_of_joins_the_warnings_of_the_training(prepared: config.Project) -> None:
    trained(prepared)
    finished(prepared)
    write_json(paths.timing("sample", "first"), {"facts": {"warnings": ["much is beyond"]}})
    for _ in range(2):
        Tracker(prepared).mirror_all()
        assert runs()[0].data.tags["genpipe.warnings"] == "much is beyond"


def test_results_of_an_older_yaml_are_not_shown_as_those_of_a_newer_one(prepared: config.Project) -> None:
    trained(prepared)
    finished(prepared)
    file = Path("pipelines/first.yaml")
    file.write_text(file.read_text().replace("latent_dim: 4", "latent_dim: 3"))
    Tracker(config.load()).mirror_all()
    assert [run.data.params["model.latent_dim"] for run in runs()] == ["4"]


def test_experiments_that_differ_by_name_alone_have_a_run_each_also_when_remade(prepared: config.Project) -> None:
    Path("pipelines/second.yaml").write_text(Path("pipelines/first.yaml").read_text())
    index = Path("params.yaml")
    index.write_text(index.read_text() + "  second: {model: vae, data: tiny}\n")
    opened = config.load()
    for name in ("first", "second"):
        trained(opened, name)
        finished(opened, name)
    for run in runs():
        client().delete_run(run.info.run_id)
    for _ in range(2):
        Tracker(opened).mirror_all()
        assert sorted(run.info.run_name for run in runs()) == ["first", "second"]
    assert len({run.data.tags["genpipe.key"] for run in runs()}) == 1


def test_scores_by_step_are_curves_which_are_logged_once(prepared: config.Project) -> None:
    file = Path("pipelines/first.yaml")
    text = file.read_text().replace("log_every_steps: 2", "log_every_steps: 2, score_every_steps: 2, score_images: 50")
    file.write_text(text)
    opened = config.load()
    trained(opened)
    finished(opened)
    for _ in range(2):
        Tracker(opened).mirror_all()
    (run,) = runs()
    curve = client().get_metric_history(run.info.run_id, "by_step/fid_classifier")
    rows = read_curves(paths.score_curves("first"))
    assert [(m.step, m.value) for m in curve] == [(row["step"], row["fid_classifier"]) for row in rows]
    assert [m.step for m in curve] == [2, 4, 6]
    assert len(client().get_metric_history(run.info.run_id, "fid_classifier")) == 1, "the score of the finished model"


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")


@pytest.mark.usefixtures("no_server")
def test_a_server_that_is_down_costs_one_warning_and_no_training(prepared: config.Project) -> None:
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        trained(prepared)
    ours = [str(w.message) for w in told if "MLflow at" in str(w.message)]
    assert len(ours) == 1
    assert "http://127.0.0.1:9 is left out" in ours[0]
    assert paths.model("first").exists()
    assert time.perf_counter() - start < 30


def test_many_processes_may_open_a_new_store_at_once(prepared: config.Project) -> None:
    import subprocess
    import sys

    code = "from genpipe import config, tracking; tracking.Tracker(config.load()).connect()"
    processes = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(3)]
    errors = [p.communicate(timeout=120)[1] for p in processes]
    assert [p.returncode for p in processes] == [0, 0, 0], errors
    assert len(client().search_experiments(filter_string="name = 'genpipe'")) == 1


def test_rows_that_a_kill_has_cost_a_run_are_added_when_the_training_is_finished(prepared: config.Project) -> None:
    """They were in a checkpoint already, but waited to be sent."""
    experiment = prepared.experiment("first")

    def crash(moment: Moment) -> None:
        if moment.step == 4:
            raise SystemError

    tracker = Tracker(prepared)
    with pytest.raises(SystemError), tracker.training(experiment) as tracked:
        tracked.flush = lambda: None  # type: ignore[method-assign]
        train(prepared, experiment, [crash])
    trained(prepared)
    (run,) = runs()
    curve = client().get_metric_history(run.info.run_id, "autoencoder/loss")
    assert sorted(m.step for m in curve) == [2, 4, 6]


def test_what_goes_wrong_is_a_tag_of_the_run(prepared: config.Project) -> None:
    experiment = prepared.experiment("first")
    with pytest.raises(NonFiniteLoss), Tracker(prepared).training(experiment) as tracked:
        tracked.warn("step 2: this looks wrong.")
        raise NonFiniteLoss("autoencoder", 3, "the loss", float("nan"), None)
    (run,) = runs()
    assert run.info.status == "FAILED"
    assert run.data.tags["genpipe.warnings"].startswith("step 2: this looks wrong.\nstep 3: the loss of phase")
    trained(prepared)
    (run,) = runs()
    assert run.data.tags["genpipe.warnings"] == "none"


def test_a_training_that_was_asked_to_stop_is_a_killed_run(prepared: config.Project) -> None:
    with pytest.raises(Stopped), Tracker(prepared).training(prepared.experiment("first")):
        raise Stopped(2, 6, 15, kept=True)
    (run,) = runs()
    assert run.info.status == "KILLED"
    assert "genpipe.warnings" not in run.data.tags
