"""Images that are not square, from the index to the report."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genpipe import paths
from genpipe.artifacts.models import load_model
from genpipe.cli._image_size import parsed, written
from genpipe.config.project import load_project
from genpipe.dataset.preparing import prepare
from genpipe.errors import ConfigError, UsageError
from genpipe.evaluation.extractor_training import make_references
from genpipe.evaluation.scoring import evaluate
from genpipe.files import read_json
from genpipe.reporting.page import write_report
from genpipe.sampling.drawing import Samples, generate_samples, save_samples
from genpipe.training.experiment import train

CONV = ("architecture: mlp\n  widths: [32]", "architecture: conv\n  widths: [4, 4]")


def resize(project: Path, size: str) -> None:
    index = project / "params.yaml"
    index.write_text(index.read_text().replace("image_size: 8", f"image_size: {size}"))


def test_an_experiment_on_rectangles_reaches_the_report(project: Path) -> None:
    resize(project, "[8, 12]")
    pipeline = project / "pipelines/first.yaml"
    pipeline.write_text(pipeline.read_text().replace(*CONV))
    opened = load_project()
    opened.check()
    experiment, knobs = opened.experiment("first"), opened.data("tiny").common
    assert opened.data("tiny").spec().shape == (1, 8, 12)
    prepare(
        opened.data("tiny").opened, image_size=knobs.image_size, resize_mode="crop", seed=0, folder=paths.data("tiny")
    )
    train(opened, experiment)
    make_references(opened, "tiny")
    model, spec = load_model(paths.model("first"))
    assert spec.image_size == (8, 12)
    save_samples(Samples(generate_samples(model, 60, seed=0)), paths.samples("first"))
    evaluate(opened, experiment)
    scores = read_json(project / "reports/scores/first.json")
    assert np.isfinite(scores["fid_classifier"])
    with Image.open(project / "reports/figures/first/sample_grid.png") as picture:
        assert picture.size == (3 * (12 + 2) + 2, 3 * (8 + 2) + 2)
    shown = re.search(r'width="(\d+)" height="(\d+)"[^>]*alt="The first 9 samples', write_report(project).read_text())
    assert shown
    assert int(shown[1]) * 32 == int(shown[2]) * 44, "the aspect is kept"


def test_a_square_by_its_sides_is_the_square(project: Path) -> None:
    resize(project, "[8, 8]")
    assert load_project().data("tiny").common.image_size == 8


@pytest.mark.parametrize("size", ["0", "[8]", "[8, 0]", "[8, 8.5]", "[8, true]", "true", "8x8", "null"])
def test_what_is_no_size_is_refused_with_its_line(project: Path, size: str) -> None:
    resize(project, size)
    with pytest.raises(
        ConfigError, match=r"params\.yaml:3: datasets\.tiny\.image_size: should be pixels from 1, or \["
    ):
        load_project().data("tiny")


def test_a_net_that_cannot_halve_it_is_refused_before_anything_runs(project: Path) -> None:
    resize(project, "[8, 13]")
    pipeline = project / "pipelines/first.yaml"
    pipeline.write_text(pipeline.read_text().replace(*CONV))
    with pytest.raises(ConfigError, match=r"it is 8×13\. Both sides must be multiples of 4; nearest: 8×12"):
        load_project().check()


def test_sizes_on_the_command_line_are_height_and_width() -> None:
    assert [parsed(text) for text in ("32", "24x32", "32x32")] == [32, (24, 32), 32]
    assert [written(size) for size in (32, (24, 32))] == [32, [24, 32]]
    for text in ("", "0", "24x", "x24", "-8", "8x0", "8x8x3", "8.5"):
        with pytest.raises(UsageError, match="is no size; give pixels from 1"):
            parsed(text)
