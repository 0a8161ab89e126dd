"""Training steps a second by number of threads and by how threads wait: python benchmarks/threads.py EXPERIMENT.

Run it with the machine in the state in which you train, quiet or busy. Each line is a process of its own.
"""

import os
import subprocess
import sys

STEPS = 300
WAYS = {
    "all cores": {},
    "all cores, waiting threads sleep": {"OMP_WAIT_POLICY": "passive"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}


def measure(name: str) -> float:
    """Steps a second of an experiment whose data is prepared."""
    from genpipe import paths, registry
    from genpipe.config.project import load_project
    from genpipe.dataset.batches import BatchLoader
    from genpipe.dataset.storage import Prepared
    from genpipe.training.devices import fabric
    from genpipe.training.loop import fit, seed

    experiment = load_project().experiment(name)
    prepared, knobs = Prepared.open(paths.data(experiment.data.name)), experiment.knobs
    seed(knobs.seed)
    model = registry.load("models", experiment.model_name)(experiment.model, prepared.spec)
    device = fabric(knobs.train.precision)
    batches = BatchLoader.of(prepared, size=knobs.train.batch_size, seed=knobs.seed, device=device.device)
    train = knobs.train.model_copy(update={"steps": STEPS})
    return fit(model, batches, train, knobs.optim, device=device).images_per_sec / knobs.train.batch_size


def main() -> None:
    """Measures each way in turn."""
    name = sys.argv[1]
    if "--here" in sys.argv:
        print(f"{measure(name):.1f}")
        return
    for way, settings in WAYS.items():
        command = [sys.executable, __file__, name, "--here"]
        done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=True)
        print(f"{way:34} {done.stdout.strip():>7} steps/s")


if __name__ == "__main__":
    main()
