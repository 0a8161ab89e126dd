"""Runs in MLflow: found, continued, remade, and never needed."""

from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from genpipe import paths
from genpipe.artifacts.models import load_model
from genpipe.config.project import Project, load_project
from genpipe.errors import NonFiniteLoss, Stopped, UsageError
from genpipe.files import write_json
from genpipe.sampling.drawing import generate_samples
from genpipe.tracking.runs import Tracker
from genpipe.training.callbacks import StepInfo
from genpipe.training.experiment import train
from tests.tracking._runs import client, finished, runs, trained


def test_a_training_is_one_finished_run_with_its_curves_and_a_model_that_serves(prepared: Project) -> None:
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
    assert images == generate_samples(model, 3, seed=5).tolist()


def test_a_training_that_is_stopped_goes_on_in_its_run_and_logs_no_step_twice(prepared: Project) -> None:
    experiment = prepared.experiment("first")

    def stop(info: StepInfo) -> None:
        if info.step == 4:
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


def test_results_of_an_older_yaml_are_not_shown_as_those_of_a_newer_one(prepared: Project) -> None:
    trained(prepared)
    finished(prepared)
    file = Path("pipelines/first.yaml")
    file.write_text(file.read_text().replace("latent_dim: 4", "latent_dim: 3"))
    Tracker(load_project()).mirror_all()
    assert [run.data.params["model.latent_dim"] for run in runs()] == ["4"]


def test_what_later_stages_warn_of_joins_the_warnings_of_the_training(prepared: Project) -> None:
    trained(prepared)
    finished(prepared)
    write_json(paths.timing("sample", "first"), {"facts": {"warnings": ["much is beyond"]}})
    for _ in range(2):
        Tracker(prepared).mirror_all()
        assert runs()[0].data.tags["genpipe.warnings"] == "much is beyond"


def test_what_is_asked_of_a_served_model_is_bounded(prepared: Project) -> None:
    trained(prepared)
    served = mlflow.pyfunc.load_model(f"runs:/{runs()[0].info.run_id}/model")
    for n in (0, 1001, 10**12):
        with pytest.raises(MlflowException, match="n"):
            served.predict([{"n": n}])
    with pytest.raises(UsageError, match="1,200 images are asked for at once; at most 1,000"):
        served.predict([{"n": 600}, {"n": 600}])


def test_experiments_that_differ_by_name_alone_have_a_run_each_also_when_remade(prepared: Project) -> None:
    Path("pipelines/second.yaml").write_text(Path("pipelines/first.yaml").read_text())
    index = Path("params.yaml")
    index.write_text(index.read_text() + "  second: {model: vae, data: tiny}\n")
    opened = load_project()
    for name in ("first", "second"):
        trained(opened, name)
        finished(opened, name)
    for run in runs():
        client().delete_run(run.info.run_id)
    for _ in range(2):
        Tracker(opened).mirror_all()
        assert sorted(run.info.run_name for run in runs()) == ["first", "second"]
    assert len({run.data.tags["genpipe.key"] for run in runs()}) == 1


def test_rows_that_a_kill_has_cost_a_run_are_added_when_the_training_is_finished(prepared: Project) -> None:
    """They were in a checkpoint already, but waited to be sent."""
    experiment = prepared.experiment("first")

    def crash(info: StepInfo) -> None:
        if info.step == 4:
            raise SystemError

    tracker = Tracker(prepared)
    with pytest.raises(SystemError), tracker.training(experiment) as tracked:
        tracked.flush = lambda: None  # type: ignore[method-assign]
        train(prepared, experiment, [crash])
    trained(prepared)
    (run,) = runs()
    curve = client().get_metric_history(run.info.run_id, "autoencoder/loss")
    assert sorted(m.step for m in curve) == [2, 4, 6]


def test_what_goes_wrong_is_a_tag_of_the_run(prepared: Project) -> None:
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


def test_a_training_that_was_asked_to_stop_is_a_killed_run(prepared: Project) -> None:
    with pytest.raises(Stopped), Tracker(prepared).training(prepared.experiment("first")):
        raise Stopped(2, 6, 15, kept=True)
    (run,) = runs()
    assert run.info.status == "KILLED"
    assert "genpipe.warnings" not in run.data.tags
