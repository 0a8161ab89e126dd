"""Prepare a data set: python -m stages.prepare NAME."""

from genpipe import config, paths
from genpipe.files import read_json
from genpipe.running import leave
from genpipe.running.counting import counting
from genpipe.running.inputs import Inputs
from genpipe.running.stages import Facts, stage


def run(name: str, inputs: Inputs) -> Facts:
    """Reads the source and writes arrays."""
    from genpipe.data._preparing import prepare  # its workers import this file again, and do without torch

    data = config.load().data(name)
    knobs = data.common.model_dump(exclude={"source", "extractors"})
    with counting(name, "images") as shown:
        prepared = prepare(data.opened, **knobs, seed=data.seed, folder=paths.data(name), shown=shown)
    inputs.verify()
    inputs.verify_equal(f"the source of '{name}'", read_json(paths.seen(name)), config.load().data(name).seen())
    facts = {f"{split}_images": len(prepared.images(split)) for split in ("train", "test")}
    return {**facts, "broken_images": prepared.broken_images}


if __name__ == "__main__":
    leave(stage("prepare", run))
