"""Experiments that are trained and scored, and a look at their runs in MLflow."""

import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow

from genpipe import paths
from genpipe.artifacts.models import load_model
from genpipe.config.project import Project
from genpipe.evaluation.extractor_training import make_references
from genpipe.evaluation.scoring import evaluate
from genpipe.sampling.drawing import Samples, generate_samples, save_samples
from genpipe.tracking.runs import Tracker
from genpipe.tracking.store import address
from genpipe.training.experiment import train


def client() -> mlflow.MlflowClient:
    return mlflow.MlflowClient(address())


def runs() -> list[mlflow.entities.Run]:
    return client().search_runs([client().get_experiment_by_name("genpipe").experiment_id])


def rows(store: Path) -> list[str]:
    """All that an SQLite file holds."""
    with closing(sqlite3.connect(store)) as opened:
        return list(opened.iterdump())


def trained(opened: Project, name: str = "first") -> None:
    experiment = opened.experiment(name)
    with Tracker(opened).training(experiment) as tracked:
        train(opened, experiment, [tracked])


def finished(opened: Project, name: str = "first") -> None:
    """Scores and pictures, as the later stages make them."""
    experiment = opened.experiment(name)
    make_references(opened, "tiny")
    model, _ = load_model(paths.model(name))
    save_samples(Samples(generate_samples(model, 60, seed=0)), paths.samples(name))
    evaluate(opened, experiment)
