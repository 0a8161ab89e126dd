"""Every command and file that the documentation shows is run, in a project with git and DVC at smoke size."""

import json
import os
import re
import shutil
import site
import socket
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from tests._pages import ROOT, Piece, blocks, commands, files

pytestmark = [pytest.mark.graph, pytest.mark.timeout(600)]

NOT_RUN = {
    "mypy": "minutes, and `make test` runs it before the tests",
    "python -m pytest": "it is what runs this",
    "python benchmarks/.*": "minutes, on a machine with nothing else to do",
    "srun .*": "it needs a cluster",
    "torchrun .*": "it needs four GPUs; tests/training/test_devices.py starts two processes",
}
"""The commands that are not run, as patterns, and why."""

with socket.socket() as _probe:
    _probe.bind(("127.0.0.1", 0))
    PORT = str(_probe.getsockname()[1])

INSTEAD = {
    "make test": "make --dry-run test",  # it would run this
    "make ui": f"genpipe ui --port {PORT}",  # what the Makefile has; port 5000 may be taken
    "5001": PORT,
    "--features inception": "--features pixels",  # the published weights come over the network
}
"""What stands in a command, and what takes its place."""

BEFORE = {
    "# runs check, train@vae": "sed -i 's/latent_dim: 8 /latent_dim: 16/' pipelines/vae.yaml",
    "# trains small-vae alone": (
        "genpipe new-experiment small-vae --recipe vae --set model.latent_dim=4 --profile smoke --force"
    ),
}
"""What a person does before a command, known by its comment; a training takes seconds, not minutes."""

SAYS = {
    "make run": r"up to date\.[^$]*The report: +reports/index\.html",
    "make test": r"ruff check \.\nruff format --check \.\nmypy\npython -m pytest\n$",
    "make ui": r"<title>MLflow</title>",
    "dvc params diff": r"pipelines/vae\.yaml +model\.latent_dim +8 +16\n",
    "dvc metrics diff": r"reports/metrics/vae\.json +fid_classifier +\S+ +\S+ +\S+\n",
    "dvc plots show": r"dvc_plots/index\.html",
    "dvc exp run": r"Running stage 'evaluate@vae'",
    "dvc exp show": r"(?s)workspace.* 16 ",
    "ruff check": r"All checks passed",
    "ruff format": r"left unchanged",
    "genpipe compare": r"(?m)^\S* *vae",
    "genpipe sample small-vae": r"Wrote digits\.png",
    "genpipe remove": r"Removed pipelines/vae-beta4\.yaml",
    "python -m pytest tests/test_model_contract.py -k imle": r"\d passed",
    "curl": r'"predictions": \[\[\[\[',
}
"""What commands say, by how they begin."""

MNIST = "{source: mnist5k, size: 32, fit: pad, test_images: 60, limit: 300}"
OWN = "genpipe new-experiment own --recipe imle --data stripes --profile smoke"
SETUP = [
    *(f"genpipe new-experiment {name} --recipe {name} --profile smoke" for name in ("vae", "ae", "dcgan")),
    f"{OWN} --set evaluate.metrics.brightness={{}} --set analyses.interpolation={{}}",
    "python -m stages.check",
    *(f"python -m stages.{name} {data}" for name in ("prepare", "reference") for data in ("mnist5k", "stripes")),
    *(f"python -m stages.{name} {key}" for key in ("vae", "dcgan", "ae", "own") for name in ("train", "sample")),
    *(f"python -m stages.evaluate {key}" for key in ("vae", "dcgan", "ae", "own")),
    "python -m stages.report",
    "dvc commit --force --quiet",
    "git add --all",
    "git commit --quiet --message first",
]
"""What has to be there before the pages' commands, as `dvc repro` makes it; `own` uses every file that they show."""
CLEAN = ["git reset --quiet --hard", "git clean --quiet -d --force", "dvc checkout --quiet --force"]
"""Each block begins with the project as it was committed."""
SNIPPETS = [block for block in blocks("python") if not block.body.startswith('"""')]
"""The Python that is no file to be saved."""


def left_out(piece: Piece) -> bool:
    """Whether a command is one that is not run."""
    return any(re.fullmatch(pattern, piece.command) for pattern in NOT_RUN)


SHOWN = [[piece for piece in commands(block) if not left_out(piece)] for block in blocks("sh")]
PIECES = [piece for block in SHOWN for piece in block]


def place(of: object) -> str:
    """The page and line of a piece or block, for the name of its test."""
    return f"{of.page}:{of.line}" if hasattr(of, "page") else str(of)  # type: ignore[attr-defined]


def run_as(piece: Piece) -> str:
    """The command as it is run."""
    line = piece.command
    for shown, instead in INSTEAD.items():
        line = line.replace(shown, instead)
    return line


def lines() -> list[tuple[str, str]]:
    """All that is run, in order, each with the place of what it is the outcome of."""
    found = [(line, line) for line in SETUP]
    for block in SHOWN:
        for piece in block:
            found += [("", line) for comment, line in BEFORE.items() if comment in piece.shown]
            found.append((place(piece), run_as(piece)))
        found += [("", ""), *(("", line) for line in CLEAN)]
    return found + [(place(block), f"python snippet-{block.line}.py") for block in SNIPPETS]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """What came of each command, by its place."""
    root = tmp_path_factory.mktemp("documented")
    _project(root)
    _own_pictures(root)
    _environment(root)
    todo = lines()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "DVC_", "GIT_"))}
    environment |= {"PYTHONPATH": str(root), "GIT_CONFIG_GLOBAL": os.devnull, "MLFLOW_WORKERS": "1"}
    environment |= {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    for words in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(words, cwd=root, env=environment, check=True)
    done = subprocess.run(
        [sys.executable, ROOT / "tests/_documented.py"], input=json.dumps([line for _, line in todo]), cwd=root,
        env=environment, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found = [tuple(one) for one in json.loads(done.stdout.splitlines()[-1])]
    wrong = [f"{line}: {said}" for (name, line), (status, said) in zip(todo, found, strict=True) if status and not name]
    assert wrong == [], "what stands between the pages' commands"
    return {name: one for (name, _), one in zip(todo, found, strict=True) if name}


def _project(root: Path) -> None:
    """The code, the files that the pages tell to save, and an index."""
    for folder in ("genpipe", "stages", "tests"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".gitignore", ".dvcignore", "Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, root)
    for path, body in files().items():
        assert not (root / path).exists(), f"{path} is in the tree already"
        (root / path).write_text(body)
    for block in SNIPPETS:
        (root / f"snippet-{block.line}.py").write_text(f"{block.body}print(images.shape)\n")
    (stripes,), (extractors,) = (
        [block.body for block in blocks("yaml") if block.body.startswith(key)] for key in ("stripes:", "extractors:")
    )
    (root / "params.yaml").write_text(
        f"seed: 0\ndatasets:\n  mnist5k: {MNIST}\n  {stripes}reference:\n  {extractors}"
        "  optim:\n    classifier: {lr: 0.002}\n  train: {steps: 20}\nexperiments: {}\n"
    )
    (root / "pipelines").mkdir()


def _environment(root: Path) -> None:
    """A virtual environment with what is installed here, as `make` would leave it."""
    venv.create(root / ".venv", symlinks=True)
    for program in ("genpipe", "dvc"):
        (root / ".venv/bin" / program).symlink_to(Path(sys.executable).parent / program)
    (packages,) = (root / ".venv/lib").glob("python*/site-packages")
    (packages / "here.pth").write_text(
        "".join(f"import site; site.addsitedir({p!r})\n" for p in site.getsitepackages())
    )
    (root / ".venv/.installed").touch()


def _own_pictures(root: Path) -> None:
    """The files of a person's own that the commands name."""
    pixels = np.random.default_rng(0).integers(0, 256, (120, 28, 28), dtype=np.uint8)
    for folder in ("pictures", "my-samples"):
        (root / folder).mkdir()
        for number in range(3 if folder == "pictures" else 60):
            Image.fromarray(pixels[number]).save(root / folder / f"{number}.png")
    shutil.make_archive(str(root / "cifar10"), "xztar", root / "my-samples")
    with ZipFile(root / "faces.zip", "w") as archive:
        for number in range(40):
            archive.write(root / "pictures" / f"{number % 3}.png", f"{'ab'[number % 2]}/{number}.png")
    np.savez(root / "mnist.npz", images=pixels, labels=np.arange(120) % 10)


@pytest.mark.parametrize("line", SETUP)
def test_the_project_is_made(outcomes: dict[str, tuple[int, str]], line: str) -> None:
    status, said = outcomes[line]
    assert status == 0, f"{line}\n{said}"


@pytest.mark.parametrize("piece", PIECES, ids=place)
def test_what_the_pages_show_works(outcomes: dict[str, tuple[int, str]], piece: Piece) -> None:
    status, said = outcomes[place(piece)]
    assert status == 0, f"{piece}\n{said}"
    assert "Traceback" not in said, f"{piece}\n{said}"
    for beginning, pattern in SAYS.items():
        if piece.command.startswith(beginning):
            assert re.search(pattern, said), f"{piece} does not say {pattern}:\n{said}"


@pytest.mark.parametrize("block", SNIPPETS, ids=place)
def test_a_snippet_draws_the_images_that_its_comment_tells_of(
    outcomes: dict[str, tuple[int, str]], block: Piece
) -> None:
    status, said = outcomes[place(block)]
    assert (status, said.splitlines()[-1:]) == (0, ["(4, 1, 32, 32)"]), f"{place(block)}\n{said}"


@pytest.mark.parametrize("piece", [p for p in PIECES if p.command == "dvc repro" and "#" in p.shown], ids=place)
def test_dvc_runs_the_stages_that_the_page_names(outcomes: dict[str, tuple[int, str]], piece: Piece) -> None:
    ran = set(re.findall(r"Running stage '(\S+)'", outcomes[place(piece)][1]))
    if told := re.search(r"# runs (.*);", piece.shown):
        assert ran == set(told[1].split(", ")), str(piece)
    else:
        (name,) = re.findall(r"# trains (\S+) alone", piece.shown)
        assert ran == {"check", f"train@{name}", f"sample@{name}", f"evaluate@{name}", "report"}, str(piece)


def test_every_reason_and_expectation_is_about_something_shown() -> None:
    shown = [piece for block in blocks("sh") for piece in commands(block)]
    assert [pattern for pattern in NOT_RUN if not any(re.fullmatch(pattern, p.command) for p in shown)] == []
    assert [known for known in SAYS if not any(p.command.startswith(known) for p in PIECES)] == []
    assert [part for part in INSTEAD if not any(part in p.command for p in PIECES)] == []
    assert [comment for comment in BEFORE if not any(comment in p.shown for p in PIECES)] == []


def test_every_whole_file_is_saved_somewhere() -> None:
    """A block of code that begins like a file is one that the page tells to save."""
    bodies = [block.body for language in ("python", "yaml") for block in blocks(language)]
    assert sorted(files().values()) == sorted(body for body in bodies if body.startswith(('"""', "#")))
    assert len(files()) == 6
