"""Prepare a data set: python -m stages.prepare NAME."""

from genpipe import config, paths
from genpipe.running import Facts, leave, stage
from genpipe.running.counting import counting


def run(name: str) -> Facts:
    """Reads the source and writes arrays."""
    from genpipe.data._preparing import prepare  # its workers import this file again, and do without torch

    data = config.load().data(name)
    knobs = data.common.model_dump(exclude={"source", "extractors", "extractor_steps"})
    with counting(name, "images") as shown:
        prepared = prepare(data.opened, **knobs, seed=data.seed, folder=paths.data(name), shown=shown)
    facts = {f"{split}_images": len(prepared.images(split)) for split in ("train", "test")}
    for split, count in prepared.unused_images.items():
        print(f"{name}: {count:,} images of {split} are left out; they are neither for training nor for tests")
    return {**facts, "broken_images": prepared.broken_images, "unused_images": dict(prepared.unused_images)}


if __name__ == "__main__":
    leave(stage("prepare", run))
