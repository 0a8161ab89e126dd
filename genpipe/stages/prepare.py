"""Prepare a data set: genpipe-stage prepare NAME."""

from genpipe import paths
from genpipe.config.project import load_project
from genpipe.files import read_json
from genpipe.running.counting import counting
from genpipe.running.inputs import Inputs
from genpipe.running.stages import Facts, stage


def run(name: str, inputs: Inputs) -> Facts:
    """Reads the source and writes arrays."""
    from genpipe.dataset.preparing import prepare  # its workers import this file again, and do without torch

    data = load_project().data(name)
    inputs.verify()
    knobs = data.common.model_dump(exclude={"source", "extractors", "extractor_steps", "derive"})
    with counting(name, "images") as shown:
        prepared = prepare(
            data.opened, **knobs, derive=data.derivations, seed=data.seed, folder=paths.data(name), shown=shown
        )
    inputs.verify_same(
        ", ".join(data.opened.watched_paths),
        read_json(paths.source_state(name)),
        load_project().data(name).source_state(),
    )
    for split, count in prepared.unused_images.items():
        print(f"{name}: {count:,} images of {split} are left out; they are neither for training nor for tests")
    yield prepared.counts()


def main() -> int:
    """Runs the stage; returns an exit status."""
    return stage("prepare", run)
