from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from genpipe.cli import main


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


@pytest.fixture
def genpipe(
    small_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """The command line, run in the root of the small project."""
    monkeypatch.chdir(small_project)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> Outcome:
        monkeypatch.setattr("sys.argv", ["genpipe", *words])
        return Outcome(main.run(), *capsys.readouterr())

    return run
