"""What the documentation says is held to the code, so that it cannot fall behind."""

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import typer
from dvc.cli.parser import get_main_parser
from PIL import Image

from genpipe.config import datasets, document, sampling, schemas, training
from genpipe.config.project import load_project
from genpipe.schema import Strict

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
SCHEMAS: dict[str, type[Strict]] = {
    "`params.yaml`": schemas.Index,
    "`datasets.NAME`": datasets.Dataset,
    "`reference`": schemas.Reference,
    "`experiments.NAME`": schemas.Entry,
    "`pipelines/NAME.yaml`": schemas.Knobs,
    "`optim.PHASE`": training.Optim,
    "`train`": training.Train,
    "`sample`": sampling.Sample,
    "`evaluate`": schemas.Evaluate,
}
"""The schema under each heading of docs/experiments.md; what is in open folders documents itself."""


def fences(language: str) -> Iterator[tuple[Path, str]]:
    """The fenced blocks of a language, with the page of each."""
    return ((page, body) for page in PAGES for name, body in FENCE.findall(page.read_text()) if name == language)


def shown(program: str = "") -> list[str]:
    """Every line of a shell block that calls a program, without its comment."""
    lines = (shlex.join(shlex.split(line, comments=True)) for _, body in fences("sh") for line in body.splitlines())
    return [line for line in dict.fromkeys(lines) if line.startswith(program) and line]


def commands() -> list[str]:
    """Every line of a shell block that calls genpipe."""
    return shown("genpipe ")


SAVED = re.compile(
    r"`(genpipe/[a-z]+/\w+\.(?:py|yaml))`[^`]*(?:`[^`\n]+`[^`]*)*?```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
"""A file that is to be saved, and the block that follows."""


def files() -> dict[str, str]:
    """The whole files that the pages tell to save."""
    texts = [page.read_text() for page in PAGES]
    starts = [text[found.start() :] for text in texts for found in re.finditer(r"[Ss]ave (?:it|this one) as\s+`", text)]
    return {path: body for start in starts for path, body in [SAVED.search(start).groups()]}  # type: ignore[union-attr]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = LINK.findall(FENCE.sub("", page.read_text()))
    missing = [link for link in links if "://" not in link and not (page.parent / link.partition("#")[0]).exists()]
    assert missing == []


def test_yaml_is_what_it_says() -> None:
    blocks = list(fences("yaml"))
    assert blocks
    for page, body in blocks:
        assert document.parse(body, page.name).value, f"{page.name} shows an empty block of YAML"


def test_python_is_python() -> None:
    for page, body in fences("python"):
        compile(body, page.name, "exec")


@pytest.mark.parametrize("line", commands())
def test_commands_and_their_options_exist(line: str) -> None:
    from genpipe.cli.app import app

    group = typer.main.get_command(app)
    _, name, *arguments = shlex.split(line, comments=True)
    assert name in group.commands, f"genpipe has no command {name}"  # type: ignore[attr-defined]
    if "--help" not in arguments:
        group.commands[name].make_context(name, arguments)  # type: ignore[attr-defined] # refuses unknown options


@pytest.mark.parametrize("heading", SCHEMAS)
def test_every_knob_is_explained_with_its_default(heading: str) -> None:
    sections = re.split(r"^#+ ", (ROOT / "docs/experiments.md").read_text(), flags=re.MULTILINE)
    body = next((s for s in sections if s.startswith(f"{heading}\n")), None)
    assert architecture is not None, f"docs/experiments.md has no section {heading}"
    told = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*?) \|", body, re.MULTILINE))
    fields = SCHEMAS[heading].model_fields.items()
    assert told == {name: "required" if field.is_required() else f"`{_shown(field.default)}`" for name, field in fields}


def _shown(default: object) -> str:
    return default if isinstance(default, str) else json.dumps(default)


NOT_RUN = {
    "genpipe score my-samples/": "its published weights come over the network",
    "genpipe train": "it is dvc repro",
    "genpipe compare vae vae-again": "it needs the dvc repro before it",
    "genpipe sample small-vae": "it needs the dvc repro before it",
    "genpipe remove": "it refuses what git does not hold; test_changing.py removes",
    "dvc repro": "minutes; test_graph.py runs it on small experiments",
    "dvc checkout": "test_installed.py does it in a clone",
    "dvc exp": "minutes, and commits of git; test_graph.py runs it",
    "dvc params": "it compares commits of git",
    "dvc metrics": "it compares commits of git",
    "dvc plots": "it compares commits of git",
    "make": "it sets up an environment from the network, or serves",
    "source": "it is of the shell",
    "cd": "it is of the shell",
    "pip": "it needs the network; test_installed.py builds a wheel and installs it",
    "export": "it is of the shell",
    "ruff": "whoever runs these tests runs it too",
    "mypy": "whoever runs these tests runs it too",
    "python -m pytest": "it is what runs this",
    "python benchmarks/": "minutes",
    "srun": "it needs a cluster",
    "torchrun": "test_devices.py starts two processes",
    "mlflow": "it serves",
    "curl": "it needs a server",
}
"""The commands that are not run, by how they begin, and why; those of genpipe and DVC are parsed nevertheless."""


def run_here() -> list[str]:
    """The commands that are run."""
    return [line for line in shown() if not any(line.startswith(beginning) for beginning in NOT_RUN)]


def test_every_command_is_run_or_there_is_a_reason() -> None:
    assert all(line.startswith("genpipe ") for line in run_here())
    unused = [beginning for beginning in NOT_RUN if not any(line.startswith(beginning) for line in shown())]
    assert unused == []


@pytest.mark.parametrize("line", shown("dvc "))
def test_commands_of_dvc_and_their_options_exist(line: str) -> None:
    get_main_parser().parse_args(shlex.split(line)[1:])


MNIST = "{source: mnist5k, image_size: 32, resize_mode: pad, test_images: 60, max_images: 300}"
OWN = ["genpipe", "new-experiment", "own", "--recipe", "imle", "--data", "stripes", "--profile", "smoke"]
FIRST = [
    *(["genpipe", "new-experiment", name, "--recipe", name, "--profile", "smoke"] for name in ("vae", "ae", "dcgan")),
    [*OWN, "--set", "evaluate.metrics.brightness={}", "--set", "analyses.code_line={}"],
    ["stage", "check"],
    *(["stage", name, data] for data in ("mnist5k", "stripes") for name in ("prepare", "reference")),
    *(["stage", name, key] for key in ("vae", "dcgan", "own") for name in ("train", "sample")),
    ["stage", "evaluate", "own"],
]
"""What has to be there before the pages' commands, as `dvc repro` makes it; `own` uses every file that they show."""


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """What came of each command, in a project with the files that the pages show, one after the other."""
    root = tmp_path_factory.mktemp("documented")
    for folder in ("genpipe", "stages"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", root)
    for path, body in files().items():
        assert not (root / path).exists(), f"{path} is in the tree already"
        (root / path).write_text(body)
    (stripes,), (extractors,) = (
        [b for _, b in fences("yaml") if b.startswith(key)] for key in ("stripes:", "extractors:")
    )
    (root / "params.yaml").write_text(
        f"seed: 0\ndatasets:\n  mnist5k: {MNIST}\n  {stripes}reference:\n  {extractors}"
        "  optim:\n    classifier: {lr: 0.002}\n  train: {steps: 20}\nexperiments: {}\n"
    )
    (root / "pipelines").mkdir()
    _own_pictures(root)
    lines = [*FIRST, *map(shlex.split, run_here())]
    environment = {**os.environ, "PYTHONPATH": str(root), "MLFLOW_TRACKING_URI": "http://localhost:1"}
    environment |= {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    done = subprocess.run(
        [sys.executable, ROOT / "tests/_documented.py"], input=json.dumps(lines), cwd=root, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    return {shlex.join(line): tuple(one) for line, one in zip(lines, found, strict=True)}


def _own_pictures(root: Path) -> None:
    """The files of a person's own that the commands name."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (120, 28, 28), dtype=np.uint8)
    (root / "pictures").mkdir()
    for number in range(3):
        Image.fromarray(pixels[number]).save(root / "pictures" / f"{number}.png")
    with ZipFile(root / "faces.zip", "w") as archive:
        for number in range(40):
            archive.write(root / "pictures" / f"{number % 3}.png", f"{'ab'[number % 2]}/{number}.png")
    np.savez(root / "mnist.npz", images=pixels, labels=np.arange(120) % 10)


@pytest.mark.graph
@pytest.mark.timeout(600)
@pytest.mark.parametrize("line", [*map(shlex.join, FIRST), *run_here()])
def test_what_the_pages_show_works(outcomes: dict[str, tuple[int, str]], line: str) -> None:
    status, said = outcomes[line]
    assert status == 0, said


@pytest.mark.graph
def test_every_whole_file_is_saved_somewhere() -> None:
    """A block of code that begins like a file is one that the page tells to save."""
    whole = [body for language in ("python", "yaml") for _, body in fences(language) if body.startswith(('"""', "#"))]
    assert sorted(files().values()) == sorted(whole)
    assert len(files()) == 6


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_figures_of_the_default_experiments_are_those_of_the_report(page: str) -> None:
    text = (ROOT / page).read_text()
    with (ROOT / "reports/leaderboard.csv").open() as file:
        rows = {row["experiment"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {"real-held-out", *load_project(ROOT).index.experiments}
    for name, row in rows.items():
        shown = re.escape(name.replace("real-held-out", "*held-out real images*"))
        found = re.search(rf"^\| {shown}[^|]*\| ([\d.,]+) \| ([\d.,]+) \|", text, re.MULTILINE)
        assert found, f"{page} has no row of {name}"
        assert found.groups() == (f"{float(row['fid_classifier']):,.1f}", f"{float(row['is_classifier']):,.2f}"), name
