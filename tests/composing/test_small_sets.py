"""What a small set of images cannot serve is found before anything trains."""

from pathlib import Path

import numpy as np
import pytest

from genpipe import registry
from genpipe.composing import Plan, Wish, plan
from genpipe.composing._datasets import SMOKE_STEPS
from genpipe.config import Project
from genpipe.errors import ConfigError, DataError
from genpipe.interfaces import Counts


def own(root: Path, images: int, test_images: int | None = None, classes: int = 2, **knobs: object) -> Project:
    """The small project with so many random pictures as the data set `own`."""
    pixels = np.random.default_rng(0).integers(0, 256, (images, 16, 16), dtype=np.uint8)
    np.savez(root / "own.npz", images=pixels, labels=np.arange(images) % classes)
    held_out = "" if test_images is None else f", test_images: {test_images}"
    more = "".join(f", {key}: {value}" for key, value in knobs.items())
    line = f"    own: {{source: arrays, path: own.npz, size: 16{held_out}{more}}}\n"
    for file, old, new in (
        ("params.yaml", "    mnist5k:", f"{line}    mnist5k:"),
        (
            "dvc.yaml",
            "deps: [runs/code/check.json, params.yaml, pipelines]",
            "deps: [runs/code/check.json, params.yaml, pipelines, own.npz]",
        ),
    ):
        text = (root / file).read_text()
        assert old in text
        (root / file).write_text(text.replace(old, new, 1))
    return Project(root)


def planned(project: Project, recipe: str, **wish: object) -> Plan:
    return plan(project, Wish("new", recipe, data="own", profile="smoke", **wish))  # type: ignore[arg-type]


@pytest.mark.parametrize("recipe", ["vae", "dcgan", "pca", "cgan", "copies"])
@pytest.mark.parametrize(("images", "test_images"), [(61, None), (40, 3), (3, 1)])
def test_a_recipe_leaves_out_what_the_images_are_too_few_for(
    small_project: Path, recipe: str, images: int, test_images: int | None
) -> None:
    made = planned(own(small_project, images, test_images), recipe)
    assert made.left_out
    training, held_out = images - (test_images or 6), test_images or 6
    there = Counts(training, held_out, made.experiments[0].knobs.sample.images)
    for kind, configs in (("metrics", made.experiments[0].metrics), ("analyses", made.experiments[0].analyses)):
        for name, config in configs.items():
            assert registry.load(kind, name)(config).too_few(there) is None, name
    told = "\n".join(made.left_out)
    assert "precision_recall_curve" in told


def test_what_was_asked_for_stays_and_is_refused_with_what_would_do(small_project: Path) -> None:
    project = own(small_project, 61)
    with pytest.raises(ConfigError, match="it needs 100 training images, and there are 55; lower `bins`, or remove it"):
        planned(project, "vae", sets=["analyses.class_histogram={}"])
    kept = planned(project, "vae", sets=["analyses.class_histogram={bins: 10}"])
    assert kept.experiments[0].analyses["class_histogram"].bins == 10
    with pytest.raises(ConfigError, match="samples, and there are 2; lower `k_precision_recall` and `k_density_cov"):
        planned(project, "vae", sets=["sample.images=2", "evaluate.metrics.precision_recall={}"])


def test_no_knob_is_named_that_would_not_do(small_project: Path) -> None:
    project = own(small_project, 40, 3)
    with pytest.raises(ConfigError) as refused:
        planned(project, "vae", sets=["analyses.precision_recall_curve={}"])
    assert "it needs 11 held-out images, and there are 3; remove it." in str(refused.value)
    assert "most_neighbours" not in str(refused.value)


def test_counts_are_those_after_limit_and_leave_out(small_project: Path) -> None:
    project = own(small_project, 300, classes=3, limit=50, leave_out="['2']")
    counts = project.data("own").counts
    assert counts[2, 0] == 0
    assert counts[:, 0].sum() == 50
    assert project.data("own").spec().untrained == (2,)
    told = "\n".join(planned(project, "vae").left_out)
    assert "class_histogram: it needs 100 training images, and there are 50" in told


def test_of_a_source_that_must_be_made_the_limit_is_known(small_project: Path) -> None:
    index = small_project / "params.yaml"
    index.write_text(index.read_text().replace("fit: pad}", "fit: pad, limit: 8, test_images: 1000}"))
    with pytest.raises(ConfigError, match="it needs 11 training images, and there are 8 and 11 held-out images"):
        Project(small_project).check()


def test_a_class_that_nobody_trains_on_is_no_floor(small_project: Path) -> None:
    pixels = np.zeros((30, 16, 16), np.uint8)
    labels = {"y_train": np.zeros(20, np.uint8), "y_test": np.ones(10, np.uint8)}
    project = own(small_project, 40)
    np.savez(small_project / "own.npz", x_train=pixels[:20], x_test=pixels[:10], **labels)
    with pytest.raises(DataError, match="held-out images are needed of a class that has training images"):
        project.data("own").spec()


@pytest.mark.parametrize("name", registry.names("analyses"))
def test_every_analysis_says_what_to_do_about_too_few_images(name: str) -> None:
    kind = registry.load("analyses", name)
    analysis = kind(kind.Config())
    told = analysis.too_few(Counts(0, 0, 0))
    assert (told is None) == (analysis.least_images == Counts())
    assert told is None or told.endswith("remove it.")
    assert set(kind.lowered) <= set(kind.Config.model_fields)
    assert analysis.too_few(Counts()) is None, "of what is not known nothing is said"


@pytest.mark.parametrize("name", registry.names("metrics"))
def test_every_metric_says_what_to_do_about_too_few_images(name: str) -> None:
    kind = registry.load("metrics", name)
    metric = kind(kind.Config())
    told = metric.too_few(Counts(0, 0, 0))
    assert (told is None) == (metric.least_images == Counts())
    assert set(kind.lowered) <= set(kind.Config.model_fields)


def test_the_smoke_profile_takes_a_classifier_of_few_steps_where_no_one_else_looks_through_it(
    small_project: Path,
) -> None:
    project = own(small_project, 200)
    index = small_project / "params.yaml"
    index.write_text(index.read_text().replace("steps: 10}", "steps: 1000}"))
    made = planned(Project(small_project), "vae")
    assert f"is trained {SMOKE_STEPS} steps, as the profile is smoke" in made.notes[0]
    made.write()
    project = Project(small_project)
    assert project.data("own").common.extractor_steps == SMOKE_STEPS
    assert plan(project, Wish("two", "dcgan", data="own", profile="smoke")).notes == ()
    assert "take that out for scores that mean something" in plan(project, Wish("three", "vae", data="own")).notes[0]
    shared = plan(project, Wish("four", "vae", profile="smoke"))
    assert "is trained 1,000 steps, once for all experiments on mnist5k" in shared.notes[0]
    assert "extractor_steps" not in str(shared.diff())


def test_without_a_classifier_nothing_is_said_of_one(small_project: Path) -> None:
    assert planned(own(small_project, 200, extractors="[pixels]"), "vae").notes == ()
