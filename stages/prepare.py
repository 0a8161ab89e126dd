"""Prepare a data set: python -m stages.prepare NAME."""

from genpipe import config, paths, registry
from genpipe.data._preparing import prepare
from genpipe.running import Facts, stage


def run(name: str) -> Facts:
    """Reads the source and writes arrays."""
    data = config.load().data(name)
    source = registry.load("data", data.common.source)(data.source)
    prepared = prepare(source, size=data.common.size, fit=data.common.fit, seed=data.seed, folder=paths.data(name))
    return {f"{split}_images": len(prepared.images(split)) for split in ("train", "test")}


if __name__ == "__main__":
    stage("prepare", run)
