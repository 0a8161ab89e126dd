import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import genpipe as package
from genpipe.config import project

REPOSITORY = Path(__file__).parents[2]
Run = Callable[..., Any]


def python(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("words", [["--help"], ["list", "models"], ["new-experiment", "--help"]])
def test_help_and_lists_import_nothing_heavy(words: list[str]) -> None:
    heavy = "{'torch', 'pandas', 'mlflow', 'dvc', 'matplotlib', 'sklearn'} & set(sys.modules)"
    code = (
        f"import sys, atexit; atexit.register(lambda: print('heavy:', {heavy}))"
        "; from genpipe.cli.main import main; main()"
    )
    done = python(code, *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("heavy: set()\n")


def test_a_process_ends_with_the_message_and_the_status(tmp_path: Path) -> None:
    done = python(f"import os; os.chdir({str(tmp_path)!r}); from genpipe.cli.main import main; main()", "check")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: no genpipe project at")
    assert "Traceback" not in done.stderr


def test_list_alone_lists_everything_also_outside_of_a_project(
    genpipe: Run, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = ["models", "data", "derivations", "extractors", "metrics", "analyses", "recipes"]
    shown = genpipe("list").out
    assert [line.removesuffix(":") for line in shown.splitlines() if line.endswith(":")] == kinds
    assert all(genpipe("list", kind).out in shown for kind in kinds)
    assert list(json.loads(genpipe("list", "--json").out)) == kinds
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert genpipe("list").status == 0


def test_a_name_that_is_no_text_can_be_shown(small_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small_project)
    words = ["data", "inspect", "mnist5k", "-n", "1", "-o", "\udcff.png"]
    done = python("from genpipe.cli.main import main; main()", *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Wrote \\udcff.png.\n")
    assert "\\udcff" in python("from genpipe.cli.main import main; main()", "sample", "vae", "\udcff").stderr


def test_version(genpipe: Run) -> None:
    assert genpipe("--version").out == f"genpipe {package.__version__}\n"


def commands() -> Iterator[tuple[list[str], Any]]:
    """Every command and group, with the words that call it."""
    from genpipe.cli.app import app

    waiting: list[tuple[list[str], Any]] = [([], typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop()
        yield words, command
        waiting += [([*words, name], below) for name, below in getattr(command, "commands", {}).items()]


@pytest.mark.parametrize("words", [words for words, _ in commands()], ids=" ".join)
def test_help_ends_with_two_examples_that_can_be_typed(genpipe: Run, words: list[str]) -> None:
    found = {" ".join(words): command for words, command in commands()}
    shown = [line.strip() for line in genpipe(*words, "--help").out.splitlines() if line.strip()]
    examples = shown[shown.index("Examples:") + 1 :]
    assert len(examples) == 2
    for line in examples:
        _, *typed = shlex.split(line)
        called = max((n for n in found if f"{line} ".startswith(f"genpipe {n} ")), key=len)
        assert typed[: len(words)] == words or not words
        found[called].make_context(called, typed[len(called.split()) :])  # refuses what is no option


@pytest.mark.parametrize("words", [["nonsense"], ["list", "nonsense"], ["sample", "vae", "-n", "0"], ["show"]])
def test_a_wrong_call_is_status_2(genpipe: Run, words: list[str]) -> None:
    assert genpipe(*words).status == 2


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (
            OSError(28, "No space left on device", "x.yaml"),
            1,
            "error: the disk is full (x.yaml). Free some space and run again; what was there before is unharmed.\n",
        ),
        (OSError("broken"), 1, "error: broken.\n"),
        (PermissionError(13, "Permission denied", "x.yaml"), 1, "error: x.yaml: Permission denied.\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_can_happen_to_anyone_is_one_message(
    genpipe: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, message: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(project, "load_project", fail)
    done = genpipe("check")
    assert (done.status, done.err) == (status, message)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("new-experiment x --recipe dcg", ["dcgan"]),
        ("new-experiment x --from v", ["vae"]),
        ("new-experiment x --data m", ["mnist5k"]),
        ("show v", ["vae"]),
        ("compare v", ["vae"]),
        ("sample n", []),
    ],
)
def test_the_shell_completes_names(
    genpipe: Run, monkeypatch: pytest.MonkeyPatch, words: str, expected: list[str]
) -> None:
    from genpipe.cli.app import app

    monkeypatch.setenv("_GENPIPE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"genpipe {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    assert isinstance(typer.main.get_command(app), typer.core.TyperGroup)
    assert genpipe().out.split() == expected


def test_outside_of_a_project_nothing_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from genpipe.cli import _names

    monkeypatch.chdir(tmp_path)
    assert _names.experiments("") == _names.data("") == []


@pytest.mark.parametrize(
    "words",
    [
        ["show", "{}"],
        ["list", "{}"],
        ["{}"],
        ["show", "--{}"],
        ["score", "{}", "vae"],
        ["new-experiment", "{}", "--recipe", "vae"],
        ["new-experiment", "mine", "--recipe", "vae", "--set", "{}=1", "--dry-run"],
        ["data", "add", "{}", "--source", "shapes", "--image-size", "8"],
        ["data", "inspect", "odd", "--out", "{}.png"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("name", ["\x1b[2Jgone", "turned\u202egnp.", "\x9b1m", "bytes\udcff"], ids=ascii)
def test_what_steers_a_terminal_is_written_out(genpipe: Run, words: list[str], name: str) -> None:
    Path("odd").mkdir()
    Path(f"odd/{name.replace('/', '')}.png").write_text("no picture")
    genpipe("data", "add", "odd", "--source", "folder", "--path", "odd", "--image-size", "8")
    done = genpipe(*(word.format(name) for word in words))
    assert not set("\x1b\x9b\u202e\udcff") & set(done.out + done.err)


def test_commands_print_through_one_place() -> None:
    for file in (REPOSITORY / "genpipe/cli").glob("*.py"):
        assert file.name == "_screen.py" or "typer.echo(" not in file.read_text(), file
