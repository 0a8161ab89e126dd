"""Where every artifact lives, relative to the project's root. Imports nothing of genpipe but errors."""

import os
from pathlib import Path

from genpipe.errors import UsageError

INDEX = Path("params.yaml")
WIRING = Path("dvc.yaml")
PIPELINES = Path("pipelines")
CHECKED = Path("runs/checked.json")
SOURCE_STATES = Path("runs/sources")
TIMINGS = Path("runs/timings")
CODE = Path("runs/code")
CODE_WIRING = Path("stages/code/dvc.yaml")
PREREQUISITES = Path("runs/prerequisites")
PREREQUISITES_WIRING = Path("stages/prerequisites/dvc.yaml")
REPORTS = Path("reports")
SCORES = REPORTS / "scores"
CURVES = REPORTS / "curves"
FIGURES = REPORTS / "figures"


def pipeline(experiment: str) -> Path:
    """The knobs of an experiment."""
    return PIPELINES / f"{experiment}.yaml"


def data(name: str) -> Path:
    """A prepared data set: images and labels as arrays, and what they are."""
    return Path("data") / name


def source_state(name: str) -> Path:
    """What `check` saw of a data set's source: its classes, and whether the pictures are still the same."""
    return SOURCE_STATES / f"{name}.json"


def reference(data_name: str) -> Path:
    """What scores need to know of a data set: a folder for each extractor, with what it sees in the real images."""
    return Path("runs/reference") / data_name


def reference_scores(data_name: str) -> Path:
    """How well the extractors that were trained on a data set do on held-out images."""
    return REPORTS / "reference" / f"{data_name}.json"


def model(experiment: str) -> Path:
    """A finished model: weights and configuration."""
    return Path("runs") / experiment / "model"


def snapshots(experiment: str) -> Path:
    """Samples that were drawn while an experiment was trained."""
    return Path("runs") / experiment / "snapshots"


def score_curves(experiment: str) -> Path:
    """Scores of those samples, one row per step."""
    return REPORTS / "score_curves" / f"{experiment}.csv"


def samples(experiment: str) -> Path:
    """The samples of an experiment, and its reconstructions of held-out images."""
    return Path("runs") / experiment / "samples"


def features(experiment: str) -> Path:
    """What extractors see in the samples of an experiment, a folder for each."""
    return Path("runs") / experiment / "features"


def scores(experiment: str) -> Path:
    """The scores of an experiment."""
    return SCORES / f"{experiment}.json"


def metrics(experiment: str) -> Path:
    """The figures among the scores, and nothing else: what DVC shows and compares."""
    return REPORTS / "metrics" / f"{experiment}.json"


def curves(experiment: str) -> Path:
    """The training curves of an experiment, a row a logging step."""
    return CURVES / f"{experiment}.csv"


def figures(experiment: str) -> Path:
    """The pictures of an experiment."""
    return FIGURES / experiment


def code(stage: str, key: str | None) -> Path:
    """The hashes of the code that a stage runs, for one experiment or data set where there is one for each."""
    return CODE / f"{stage}.json" if key is None else CODE / stage / f"{key}.json"


def prerequisites(experiment: str) -> Path:
    """The hashes of what an experiment needs before it trains: {} if it needs nothing but data."""
    return PREREQUISITES / f"{experiment}.json"


def timing(stage: str, key: str) -> Path:
    """How long one run of a stage took, in seconds."""
    return TIMINGS / stage / f"{key}.json"


def expanded(path: str) -> Path:
    """A path that a person gave, with their folder for "~"; as given, if nobody knows whose folder is meant."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def root(start: Path | None = None) -> Path:
    """The nearest folder upwards that holds params.yaml and dvc.yaml.

    Raises UsageError if there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / INDEX).is_file() and (folder / WIRING).is_file():
            return folder
    raise UsageError(f"no genpipe project at {here} or above: go into a folder with {INDEX} and {WIRING}.")


def home(root_folder: Path | None = None) -> Path:
    """The project that outlives a temporary workspace: DVC names it when it runs a stage in a throw-away copy."""
    return Path(os.environ.get("DVC_ROOT") or root_folder or root()).resolve()


def private(root: Path) -> Path:
    """What genpipe keeps for itself in a project, outside what git and DVC manage."""
    return root / ".genpipe"


def checkpoints() -> Path:
    """Unfinished trainings."""
    return private(home()) / "checkpoints"


def statistic(root: Path, name: str, key: str) -> Path:
    """What a metric makes of the training images of a data set, as an extractor sees them."""
    return private(home(root)) / "statistics" / f"{name}-{key}.npz"


def finished(stage: str) -> Path:
    """What a stage made whose inputs were edited while it ran: of use again once the edit is undone."""
    return private(home()) / "finished" / stage


def begun(root: Path, stage: str) -> Path:
    """There as long as a stage runs of whose outputs some persist, and after it was killed: what it read."""
    return private(root) / "begun" / f"{stage}.json"


def run_lock(experiment: str, key: str) -> Path:
    """Held by whoever writes the MLflow run of an experiment: its training, for as long as that lasts."""
    return private(home()) / "runs" / f"{experiment}-{key}.lock"


def tracking_store() -> Path:
    """The default MLflow store."""
    return home() / "mlflow.db"


def tracking_artifacts() -> Path:
    """The pictures and models of the default MLflow store."""
    return home() / "mlartifacts"


def cache() -> Path:
    """Downloads, and lists of what is in archives; shared by all projects of a person."""
    return Path(os.environ.get("GENPIPE_CACHE") or "~/.cache/genpipe").expanduser()
