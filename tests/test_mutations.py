"""Whatever happens to valid files, what comes of it is a validated experiment or one clear error, never anything else.

Hundreds of spoiled projects, each spoiled in one to four ways, in the index, the pipeline or both.
"""

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genpipe.config.project import Experiment, Project
from genpipe.errors import GenpipeError
from genpipe.project import recipes
from tests.fuzzing import cases

INDEX = """\
seed: 0
datasets:
  tiny: DATA
reference:
  extractors:
    classifier: {channels: [8, 16], features: 16}
  optim:
    classifier: {lr: 0.01}
  train: {steps: 60, batch_size: 64}
experiments:
  first: {model: MODEL, data: tiny}
"""
VALUES = [
    *("", "null", "~", "true", "no", "-1", "0", "1", "3.5", "1e400", ".nan", "-.inf", "1e-320", "0x1F", "-0", "1_000"),
    *("9" * 30, "9" * 5000, "-" + "9" * 30, "1000000", "2147483648", "4294967296", "[0, -1]", "[1000000, 1000000]"),
    *("[9999999999, 9999999999]", f"[{'1, ' * 3000}1]", "[]", "{}", "[[[]]]", "{a: {b: {c: 1}}}", "[null, true, a]"),
    *("[" * 200 + "]" * 200, "{a: " * 300 + "1" + "}" * 300, "[" * 20000, "[" * 20000 + "]" * 20000, "- " * 3000 + "1"),
    *("'é ☃ \U0001f600'", "\u202e", "\x00", "\ufeff", "\x85", "\u2028", "\udcff", '"\\x00"', '"\\ud800"', "é́"),
    *("x" * 20000, "'", '"', "`", "@", "%", "%YAML 9.9", "---", "...", "#", "|", ">", "? a", "- a", "a: b: c", "\t1"),
    *("&a 1", "*a", "&a [*a]", "*nothing", "{<<: {a: 1}}", "{&x a: *x}", "!!binary aGk=", "!!timestamp 2001-01-01"),
    *("!!set {a, b}", "!!omap [a: 1]", "!!python/object/apply:os.getcwd []", "!!float abc", "!!int x", "!!int ''"),
    *(
        "!!bool maybe",
        "!!null x",
        "!unknown 1",
        "!!str 1",
        "{1: 2, null: 3, true: 4, 1.5: 6}",
        "{[1]: 2}",
        "{{a: 1}: 2}",
    ),
    *("{!!binary aGk=: 1}", "{!!timestamp 2001-01-01: 1}", "{a: 1, a: 2}", "2026-01-01", "${item}", "../../x", "a/b"),
    "[&a [1,1,1,1,1,1,1,1], &b [*a,*a,*a,*a,*a,*a,*a,*a], &c [*b,*b,*b,*b,*b,*b,*b,*b], &d [*c,*c,*c,*c,*c,*c,*c,*c],"
    "&e [*d,*d,*d,*d,*d,*d,*d,*d], &f [*e,*e,*e,*e,*e,*e,*e,*e], &g [*f,*f,*f,*f,*f,*f,*f,*f], [*g,*g,*g,*g,*g,*g]]",
    *("0x" + "f" * 1_000_000, "-0x" + "f" * 5000, "0o" + "7" * 5000, "9" * 400, "1" + "0" * 4299, "1e" + "9" * 5000),
    *(
        "k" * 5000 + ": 1",
        '"\\uD83D"',
        "\ufeff1",
        "\t",
        "1\t",
        "'\0'",
        '"a\\0b"',
        "~nobody-knows/x",
        '"~\\0"',
        "/dev/null",
        "/",
    ),
    *("folder", "archive", "arrays", "shapes", "mixture", "torchscript", "pixels", "step", "fsdp", "auto", "rewind"),
    *("ae", "pca", "gan", "dcgan", "vae", "conv", "mlp", "minimax", "sgd", "classifier", "digits", "mnist5k", "pad"),
]
"""What may stand where something else stood: of other types, too large, too deep, in other scripts, foreign."""
ENTRY = re.compile(r"(?P<key>[\w-]+):(?P<value> *[^,}\n#]*)")


@st.composite
def spoiled(draw: st.DrawFn, text: str) -> str:
    """A text after something, or two things, have happened to it."""
    for _ in range(draw(st.integers(1, 2))):
        value = draw(st.sampled_from(VALUES) | st.text(max_size=12) | st.floats().map(str) | st.integers().map(str))
        if draw(st.integers(0, 9)) < 6 and (entries := list(ENTRY.finditer(text))):
            text = _entry_spoiled(draw, text, draw(st.sampled_from(entries)), value)
        else:
            text = _lines_spoiled(draw, text, value)
    return text


def _entry_spoiled(draw: st.DrawFn, text: str, entry: re.Match[str], value: str) -> str:
    """Another value, another key, no entry, or twice the same."""
    start, end = entry.span()
    key, old = entry["key"], entry["value"]
    new = draw(
        st.sampled_from([f"{key}: {value} ", f"{key}: {value} ", f"{value}:{old}", "", f"{key}: {old}, {key}: 1"])
    )
    return text[:start] + new + text[end:]


def _lines_spoiled(draw: st.DrawFn, text: str, value: str) -> str:
    """A line gone, twice or moved; the text cut off; something in the middle of it."""
    lines = text.splitlines(keepends=True)
    line, place = draw(st.integers(0, max(len(lines) - 1, 0))), draw(st.integers(0, len(text)))
    here = "".join(lines[line : line + 1])
    inserts = [f"{mark}{here}" for mark in ("\t", "  ", "- ", "? ")]
    changed = "".join([*lines[:line], draw(st.sampled_from(["", here * 2, *inserts])), *lines[line + 1 :]])
    return draw(st.sampled_from([changed, text[:place], text[:place] + value + text[place:]]))


def index_of(recipe: recipes.Recipe) -> str:
    """An index with an experiment of a recipe, on a data set like its own, of digits that are at hand."""
    knobs = {**(recipe.dataset or {"source": "mnist5k"}), "image_size": 16}
    if knobs["source"] == "mnist5k":
        knobs |= {"source": "digits", "resize_mode": "crop", "test_images": 360}
    return INDEX.replace("MODEL", recipe.model).replace("DATA", json.dumps(knobs))


@st.composite
def projects(draw: st.DrawFn) -> tuple[str, str]:
    """The index and the pipeline of a project, one or both spoiled."""
    recipe = recipes.recipe(draw(st.sampled_from(recipes.names())))
    index, pipeline = index_of(recipe), recipe.text
    where = draw(st.sampled_from(["pipeline", "pipeline", "index", "both"]))
    return (
        draw(spoiled(index)) if where != "pipeline" else index,
        draw(spoiled(pipeline)) if where != "index" else pipeline,
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("spoiled")
    (folder / "pipelines").mkdir()
    return folder


@pytest.mark.timeout(300 + cases(200))
@settings(
    max_examples=cases(200), deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(texts=projects())
def test_a_spoiled_project_is_valid_or_one_clear_error(root: Path, texts: tuple[str, str]) -> None:
    for file, text in zip((root / "params.yaml", root / "pipelines" / "first.yaml"), texts, strict=True):
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
    found, said = _checked(root)
    assert all(experiment.key() for experiment in found)
    assert all(line.startswith(("params.yaml", "pipelines/")) for line in said), said
    assert all(len(line) < 1000 for line in said), "nobody reads that"


@pytest.mark.parametrize(
    "value", ["0x" + "f" * 1_000_000, "9" * 4000, "-" + "9" * 30, "1e999999999", ".nan", '"\\ud800"']
)
def test_an_odd_number_for_any_knob_is_one_clear_error(root: Path, value: str) -> None:
    recipe = recipes.recipe("vae")
    for file, text in (("params.yaml", index_of(recipe)), ("pipelines/first.yaml", recipe.text)):
        (root / "params.yaml").write_text(index_of(recipe))
        (root / "pipelines" / "first.yaml").write_text(recipe.text)
        for entry in re.finditer(r": *(-?[0-9][0-9.e-]*)", text):
            (root / file).write_text(text[: entry.start(1)] + value + text[entry.end(1) :])
            found, said = _checked(root)
            assert all(experiment.key() for experiment in found)
            assert all(len(line) < 1000 for line in said)


def _checked(root: Path) -> tuple[list[Experiment], list[str]]:
    """The experiments of a project, or the lines of the error."""
    try:
        return Project(root).check(), []
    except GenpipeError as error:
        return [], str(error).splitlines() or ["nothing is said"]


def test_the_unspoiled_projects_are_valid(root: Path) -> None:
    for name in recipes.names():
        (root / "params.yaml").write_text(index_of(recipes.recipe(name)))
        (root / "pipelines" / "first.yaml").write_text(recipes.recipe(name).text)
        (experiment,) = Project(root).check()
        assert experiment.model_name == recipes.recipe(name).model
