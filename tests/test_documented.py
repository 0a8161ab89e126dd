"""Every command and file that the documentation shows is run, in projects with git and DVC at smoke size."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests._pages import ROOT, WHOLE, Block, Piece, blocks, commands, files, snippets
from tests._repository import make

pytestmark = [pytest.mark.graph, pytest.mark.timeout(900)]

NOT_RUN = {
    "mypy": "a minute, and `make test` runs it before the tests",
    "python -m pytest": "it is what runs this",
    "python benchmarks/.*": "minutes, on a machine with nothing else to do",
    "srun .*": "it needs a cluster",
    "genpipe (translate|inpaint|edit|upscale) .*": "their models take minutes; tests/cli/test_translating.py runs them",
    "pip install genpipe": "it needs the network; test_installed.py builds the wheel and installs it",
}
"""The commands that are not run, as patterns, and why."""

with socket.socket() as _probe:
    _probe.bind(("127.0.0.1", 0))
    PORT = str(_probe.getsockname()[1])

CURL = "curl --silent --show-error --fail --retry 100 --retry-connrefused --retry-delay 1"
NEWEST = r"""SELECT run_uuid FROM runs WHERE name = \"vae\" ORDER BY start_time DESC"""
RUN = f"""python -c 'import sqlite3; print(*sqlite3.connect("mlflow.db").execute("{NEWEST}").fetchone())'"""
INSTEAD = {
    "make test": "make --dry-run test",  # it would run this
    "make ui": f"genpipe ui --port {PORT} & {CURL} http://127.0.0.1:{PORT}/",  # port 5000 may be taken
    "--port 5001": f"--port {PORT} &",  # the shell does not wait for it, but the next line does:
    "curl localhost:5001": f"{CURL} localhost:{PORT}",
    "RUN": f"$({RUN})",
    "--features inception": "--features pixels",  # the published weights come over the network
    "--nproc-per-node 4": "--nproc-per-node 1",  # as many as pipelines/vae.yaml has devices
}
"""What stands in a command, and what takes its place."""

FEW = "--profile smoke --set train.score_every_steps=null"
FEW += " --set 'evaluate.metrics={fid: {}}' --set 'analyses={sample_grid: {}}'"
BEFORE = {
    "# runs code, check, train@vae": ["sed -i 's/latent_dim: 8 /latent_dim: 16/' pipelines/vae.yaml"],
    "# prepares, trains": [
        f"genpipe new-experiment first --recipe vae --data digits {FEW} --force",
        "sed -i 's/steps: 500/steps: 20/' params.yaml",
    ],
    "# trains small-vae alone": [
        f"genpipe new-experiment small-vae --recipe vae --set model.latent_dim=4 {FEW} --force",
    ],
    "genpipe new-experiment mine-small": ["python -m pytest ../test_mine.py"],
    "dvc checkout": ["git clone --quiet . ../clone", "cd ../clone", "dvc cache dir --local ../lab/.dvc/cache"],
}
"""What a person does before a command, known by a part of its line; a training takes seconds, not minutes."""

SAYS = {
    "make run": r"Stage 'report' didn't change[^$]*The report: +reports/index\.html",
    "make test": r"ruff check \.\nruff format --check \.\nmypy\npython -m pytest [^\n]*\n$",
    "make ui": r"<title>MLflow</title>",
    "dvc params diff": r"pipelines/vae\.yaml +model\.latent_dim +8 +16\n",
    "dvc metrics diff": r"reports/metrics/vae\.json +fid_classifier +\S+ +\S+ +\S+\n",
    "dvc plots show": r"dvc_plots/index\.html",
    "dvc exp run": r"Running stage 'evaluate@vae'",
    "dvc exp show": r"(?s)workspace.* 16 ",
    "ruff check": r"All checks passed",
    "ruff format": r"left unchanged",
    "genpipe compare": r"(?m)^mnist5k .*\bvae\b.*\n(.+\n)+fid_classifier +\d",
    "genpipe sample small-vae": r"Wrote digits\.png",
    "genpipe remove": r"Removed pipelines/vae-beta4\.yaml",
    "python -m pytest tests/test_model_contract.py -k imle": r"\d passed",
    "curl": r'"predictions": \[\[\[\[',
}
"""What commands say, by how they begin."""

OWN = "genpipe new-experiment own --recipe imle --data stripes --profile smoke"
COMMIT = ["git add --all", "git commit --quiet --message first"]
SETUP = [
    "git init --quiet",
    "dvc init --quiet",
    *(f"genpipe new-experiment {name} --recipe {name} {FEW}" for name in ("vae", "dcgan")),
    f"{OWN} --set evaluate.metrics.brightness={{}} --set analyses.interpolation={{}}",
    "dvc repro",
    *COMMIT,
]
"""How the project of most pages is made, in which `own` uses every file that they show."""
RESTORE = ["git reset --quiet --hard", "git clean --quiet -d --force"]
"""Each block leaves its project as it was committed."""
TRAINS = ("dvc repro", "dvc exp run", "genpipe train", "torchrun")
"""How commands begin after which DVC has to restore its files, too."""
(DRAWS,), (TEST_MINE,) = snippets("docs/experiments.md"), snippets("docs/projects.md")


def left_out(piece: Piece) -> bool:
    """Whether a command is one that is not run."""
    return any(re.fullmatch(pattern, piece.command) for pattern in NOT_RUN)


def shown() -> list[list[Piece]]:
    """The commands of each shell block; of those that say the same, the first."""
    found = dict[tuple[str, ...], list[Piece]]()
    for block in blocks("sh"):
        if pieces := [piece for piece in commands(block) if not left_out(piece)]:
            found.setdefault(tuple(piece.command for piece in pieces), pieces)
    return list(found.values())


SHOWN = shown()
PIECES = [piece for block in SHOWN for piece in block]


def place(of: object) -> str:
    """The page and line of a piece or block, for the name of its test."""
    return f"{of.page}:{of.line}" if isinstance(of, Block | Piece) else str(of)


def run_as(piece: Piece) -> str:
    """The command as it is run."""
    line = piece.command
    for part, instead in INSTEAD.items():
        line = line.replace(part, instead)
    return line


def lines() -> Iterator[tuple[str, str]]:
    """All that is run, in order, each line with its name: its place if a page shows it."""
    yield from [("", "cd repository"), *((line, line) for line in SETUP)]
    for block in SHOWN:
        begins = any("genpipe init lab" in piece.command for piece in block)
        folder = "lab" if block[0].page == "docs/projects.md" else "repository"
        yield from [("", ""), *([] if begins else [("", f"cd {folder}")])]
        for piece in block:
            for part, before in BEFORE.items():
                yield from [("", line) for line in before] if part in piece.shown else []
            yield place(piece), run_as(piece)
        yield from [("", line) for line in (COMMIT if begins else RESTORE)]
        if not begins and any(piece.command.startswith(TRAINS) for piece in block):
            yield "", "dvc checkout --quiet --force"
    yield from [("", ""), ("", "cd repository"), (place(DRAWS), "python ../draws.py")]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """What came of each command, by its name."""
    root = tmp_path_factory.mktemp("documented")
    make(root / "repository")
    (root / "test_mine.py").write_text(TEST_MINE.body)
    (root / "draws.py").write_text(f"{DRAWS.body}assert images.shape == (4, 1, 32, 32)\n")
    unset = ("MLFLOW", "DVC_", "GIT_", "MAKE", "MFLAGS")  # `make test` tells a `make` within it to say more
    environment = {name: value for name, value in os.environ.items() if not name.startswith(unset)}
    environment |= {
        "PYTHONPATH": str(root / "repository"),
        "MLFLOW_WORKERS": "1",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    environment |= {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    todo = list(lines())
    done = subprocess.run(
        [sys.executable, ROOT / "tests/_documented.py"], input=json.dumps([line for _, line in todo]), cwd=root,
        env=environment, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    found = [tuple(json.loads(one)) for one in done.stdout.splitlines()]
    assert len(found) == len(todo), f"ended at {todo[len(found)]}"
    following = [next((name for name, _ in todo[n:] if name), "") for n in range(len(todo))]
    wrong = [
        f"before {after}: {line}\n{said}"
        for (name, line), after, (status, said) in zip(todo, following, found, strict=True)
        if status and not name
    ]
    assert not wrong, "\n".join(wrong)
    return {name: one for (name, _), one in zip(todo, found, strict=True) if name}


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


def test_the_snippet_draws_the_images_that_its_comment_tells_of(outcomes: dict[str, tuple[int, str]]) -> None:
    status, said = outcomes[place(DRAWS)]
    assert status == 0, f"{place(DRAWS)}\n{said}"


def test_every_snippet_is_run_somewhere() -> None:
    here, in_process = {DRAWS.page, TEST_MINE.page}, {"README.md", "docs/python.md"}
    with_some = {block.page for block in blocks("python") if snippets(block.page)}
    assert with_some == here | in_process, "tests/api/test_pages.py runs those of the latter"


RUNS = {
    r"# runs (.*); skips": r"\1",
    r"# trains (\S+) alone": r"code, check, train@\1, sample@\1, evaluate@\1, report",
    r"# runs only the stage `(code)`": r"\1",
}
"""What comments say of `dvc repro`, and the stages that are meant."""


@pytest.mark.parametrize("told", RUNS)
def test_dvc_runs_the_stages_that_the_page_names(outcomes: dict[str, tuple[int, str]], told: str) -> None:
    (piece,) = (piece for piece in PIECES if re.search(told, piece.shown))
    found = re.search(told, piece.shown)
    ran = set(re.findall(r"Running stage '(?:stages/code/dvc\.yaml:)?(\S+)'", outcomes[place(piece)][1]))
    assert found is not None
    assert ran == set(found.expand(RUNS[told]).split(", ")), str(piece)


def test_every_reason_and_expectation_is_about_something_shown() -> None:
    every = [piece for block in blocks("sh") for piece in commands(block)]
    assert [pattern for pattern in NOT_RUN if not any(re.fullmatch(pattern, p.command) for p in every)] == []
    assert [known for known in SAYS if not any(p.command.startswith(known) for p in PIECES)] == []
    assert [part for part in INSTEAD if not any(part in p.command for p in PIECES)] == []
    assert [part for part in BEFORE if not any(part in p.shown for p in PIECES)] == []


def test_every_whole_file_is_saved_somewhere() -> None:
    """A block of code that begins like a file is one that the page tells to save."""
    bodies = [block.body for language in ("python", "yaml") for block in blocks(language)]
    assert sorted(files().values()) == sorted(body for body in bodies if body.startswith(WHOLE))
    assert len(files()) == 8
