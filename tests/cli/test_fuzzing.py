"""Whatever is typed, an exit status that means something comes of it, no traceback, and nothing written outside."""

import os
import random
import shutil
import socket
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.fuzzing import cases

Run = Callable[..., Any]
STATUS = {0, 1, 2, 130, 143}
ODD = [
    *(
        "",
        " ",
        "-",
        "--",
        "-x",
        "--nonsense",
        "..",
        ".",
        "../x",
        "/dev/null",
        "/x/y",
        "~",
        "~nobody-knows/x",
        "a b",
        "a/b",
    ),
    *(
        "\x1b[31mred",
        "\n",
        "\r",
        "\t",
        "\x7f",
        "\udcff",
        "\udcffé",
        "\u202e",
        "é́",
        "☃",
        "\U0001f600",
        "x" * 300,
        "x" * 9000,
    ),
    *(
        "0",
        "1",
        "-1",
        "-0",
        "007",
        "1e400",
        "nan",
        "9" * 30,
        "9" * 5000,
        "0x" + "f" * 5000,
        "1.5",
        "2147483648",
        "4294967296",
    ),
    *(
        "[",
        "{",
        "'",
        '"',
        "`",
        "#",
        "%s",
        "${x}",
        "{0}",
        "*",
        "a=",
        "=",
        "=1",
        "a=b=c",
        ".=1",
        "a..b=1",
        "null",
        "true",
    ),
    *(
        "train.steps=5",
        "train.steps=",
        "train.steps=" + "9" * 5000,
        "train.compile=on",
        "model=3",
        "model.=1",
        "optim={}",
    ),
    *("model.latent_dim=2,4", "model.latent_dim=-1", "model.latent_dim=99999999999", "model.widths=[0]", "seed=[1, 2]"),
    *("evaluate.metrics.=1", "evaluate.metrics.kid.degree=2", "analyses.walk={}", "analyses={}", "seed=\udcff", "a=*x"),
    *(
        "size=5",
        "images=3",
        "extractors=[pixels]",
        "labels=\x1b",
        "path=/dev/null",
        "0-3",
        "0-",
        "3-0",
        "0-99999999999",
    ),
    *(
        "vae",
        "mnist5k",
        "pca",
        "gan",
        "shapes",
        "folder",
        "archive",
        "arrays",
        "pixels",
        "fid",
        "fid,kid",
        "x.npy",
        "real-x",
    ),
]
"""What may stand anywhere."""
FILES = ["out.png", "out.npy", "below/out.png", "x" * 300 + ".png", "", "\udcff.png", "out", "\n.png", "pipelines"]
"""What a picture, an array or a project may be written to, in the project."""
NAMES = ["vae", "mnist5k", "new", "shapes", "digits", "pca", "folder", "pixels"]


def commands() -> list[tuple[list[str], Any]]:
    """Every command with the words that call it."""
    from genpipe.cli.app import app

    found, waiting = [], [([], typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop()
        below = getattr(command, "commands", {})
        waiting += [([*words, name], one) for name, one in below.items()]
        found += [] if below else [(words, command)]
    return sorted(found, key=lambda one: one[0])


def value(draw: random.Random, parameter: Any) -> str:
    """Something for a parameter, right or not."""
    if parameter.name in ("out", "folder"):
        return draw.choice(FILES)
    if draw.random() < 0.5:
        return draw.choice(ODD)
    kind = parameter.bare_type()
    if isinstance(kind, type) and issubclass(kind, Enum):
        return draw.choice([str(one.value) for one in kind])
    return str(draw.choice([1, 2, 8, 32])) if kind is int else draw.choice(NAMES)


def typed(draw: random.Random) -> list[str]:
    """A command line."""
    words, command = draw.choice(commands())
    typed = list(words)
    for parameter in command.params:
        likely = 0.9 if parameter.required else 0.35
        if draw.random() > likely:
            continue
        if parameter.param_type_name == "argument":
            typed += [value(draw, parameter) for _ in range(1 if parameter.nargs == 1 else draw.randint(0, 3))]
        else:
            typed.append(draw.choice([*parameter.opts, *parameter.secondary_opts]))
            typed += [] if parameter.is_flag else [value(draw, parameter)]
    if draw.random() < 0.15:
        typed.insert(draw.randint(0, len(typed)), draw.choice(ODD))
    return typed


def state(project: Path) -> dict[str, bytes]:
    """What lies beside a project, and the files of the folders that are its own."""
    beside = [file for file in project.parent.glob(f"{project.name}-*/**/*") if file.is_file()]
    others = {str(path): b"" for path in project.parent.iterdir()}
    return others | {str(file): file.read_bytes() for file in beside if "cache" not in file.parts}


@pytest.fixture
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, no other program, a home of one's own."""

    def refused(*_: object, **__: object) -> None:
        raise OSError("there is no network")

    from genpipe import tracking

    for name in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refused)
    monkeypatch.setattr(os, "execv", lambda *_: None)
    monkeypatch.setattr(tracking, "ui", lambda _: None)
    home = tmp_path.parent / f"{tmp_path.name}-home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("GENPIPE_CACHE", str(home / "cache"))


@pytest.mark.timeout(300 + cases(15))
@pytest.mark.usefixtures("apart")
def test_any_command_line_ends_well(genpipe: Run, small_project: Path) -> None:
    spare = shutil.copytree(small_project, small_project.parent / f"{small_project.name}-spare")
    draw = random.Random(int(os.environ.get("GENPIPE_FUZZ_SEED") or 2))
    before = state(small_project)
    for _ in range(cases(15)):
        words = typed(draw)
        try:
            done = genpipe(*words)
        except BaseException as error:
            raise AssertionError(f"genpipe {words} ends with {error!r}") from error
        assert done.status in STATUS, words
        assert "Traceback" not in done.out + done.err, words
        assert done.status == 0 or done.err or done.out, words
        os.chdir(spare)
        shutil.rmtree(small_project)
        shutil.copytree(spare, small_project)
        os.chdir(small_project)
    assert state(small_project) == before
