"""A model that needs a field is refused before anything runs where the data do not have it."""

from pathlib import Path

import pytest

from genpipe import registry
from genpipe.config.project import Experiment, load_project
from genpipe.errors import ConfigError

SHAPES = "{source: shapes, image_size: 8}"


def experiment(project: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], data: str = "") -> Experiment:
    """The experiment of a project whose model needs fields, on a data set of its own if one is given."""
    monkeypatch.setattr(registry.load("models", "vae"), "fields", fields)
    index = (project / "params.yaml").read_text().splitlines(keepends=True)
    rows = [f"  tiny: {data}\n" if data and line.startswith("  tiny:") else line for line in index]
    (project / "params.yaml").write_text("".join(rows))
    return load_project().experiment("first")


@pytest.mark.parametrize(
    ("fields", "data", "message"),
    [
        ({"label_map": "label_map"}, "", "'label_map' (label_map), which these images lack; write `source: shapes` or"),
        (
            {"sweep": "number"},
            SHAPES,
            "'sweep' (number), which these images lack; write `source: shapes` and `sweep_images: 10` there.",
        ),
        ({"known_label": "attributes"}, "", "'known_label' (attributes), which these images lack; write `num_labels:"),
        ({"smiling": "class"}, "", "'smiling' (class), which these images lack; write `source: celeba` there."),
        ({"label_map": "image"}, SHAPES, "'label_map' (image), and that of these images is of kind label_map; write"),
        ({"depth": "image"}, SHAPES, "write `source: paired_folders` with your own files as `fields: {depth: …}` th"),
        ({"depth": "frames"}, SHAPES, "'depth' (frames), which these images lack; no source has it; write one (docs/"),
        (
            {"caption": "tokens"},
            "{source: shapes, image_size: 8, horizontal_flip: true}",
            "'caption' (tokens), which names left and right, and would be false of mirrored images; write "
            "`horizontal_flip: false`.",
        ),
    ],
)  # fmt: skip
def test_what_the_data_lack_is_told_with_the_remedy(
    project: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], data: str, message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        experiment(project, monkeypatch, fields, data)
    (problem,) = map(str, refused.value.problems)
    assert problem.startswith("params.yaml:3: datasets.tiny: vae needs the field ")
    assert message in problem


@pytest.mark.parametrize(
    ("fields", "data"),
    [
        ({"label_map": "label_map", "edge_map": "image"}, SHAPES.replace("}", ", horizontal_flip: true}")),
        ({"caption": "tokens"}, SHAPES),
        ({"sweep": "number"}, SHAPES.replace("}", ", sweep_images: 10}")),
        ({"known_label": "attributes"}, "{source: digits, image_size: 8, num_labels: 20}"),
    ],
)  # fmt: skip
def test_what_the_data_have_is_not_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], data: str
) -> None:
    spec = experiment(project, monkeypatch, fields, data).data.spec()
    assert {name: spec.fields[name].kind for name in fields} == fields
    assert all(one.shape[-2:] == (8, 8) for one in spec.fields.values() if one.image_shaped)
