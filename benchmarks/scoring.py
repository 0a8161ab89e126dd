"""Seconds of every score of an experiment, one after the other, and of all together.

    python benchmarks/scoring.py EXPERIMENT

Run it alone on a machine, in the root of a project in which `dvc repro` has run. What `reference` keeps of the data set
is there, as it is for every experiment; what the extractors see in the samples is counted, and so is the floor, which
is scored like them. Each metric has the knobs that it has by itself; pairs are left out.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter

from genpipe import paths, registry
from genpipe.config.project import load_project
from genpipe.evaluation.extractor_training import extractor_trainer
from genpipe.evaluation.references import load_references
from genpipe.evaluation.scoring import View, scored
from genpipe.interfaces.extractors import FeatureSet
from genpipe.sampling.drawing import load_samples


def views(name: str) -> list[View]:
    """The samples of an experiment as each extractor of its data set sees them, looked at anew."""
    project = load_project()
    data, samples = project.experiment(name).data.name, load_samples(project.root / paths.samples(name))
    made = []
    for one in load_references(project, data):
        real = replace(one.real, train_extractor=extractor_trainer(project, data))
        seen = one.extractor.extract(samples.images)
        drawn = FeatureSet(seen.images, seen.features, seen.probabilities, samples.labels)
        made.append(View(one.name, one.described, real, drawn, real.held_out))
    return made


def rows(name: str) -> Iterator[tuple[str, float, str]]:
    """What was done, its seconds, and what it gave."""
    begun = perf_counter()
    seen = views(name)
    yield "extractors", perf_counter() - begun, " ".join(one.extractor for one in seen)
    for metric in registry.names("metrics"):
        kind = registry.load("metrics", metric)
        if "pairs" not in kind.input:
            begun = perf_counter()
            found, _ = scored({metric: kind.Config()}, seen, 0)
            yield metric, perf_counter() - begun, " ".join(key for key in found if not key.endswith("_std"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("experiment")
    total = 0.0
    for what, sec, gave in rows(parser.parse_args().experiment):
        total += sec
        print(f"{what:30} {sec:6.2f}  {gave}", flush=True)
    print(f"{'all':30} {total:6.2f}")
