"""The questions of new-experiment, asked through a terminal of the model's own."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from genpipe.config.project import Project
from genpipe.project import recipes

REPOSITORY = Path(__file__).parents[2]
Contents = Callable[[], dict[str, str]]


class Terminal:
    """A command with a person before it."""

    def __init__(self, root: Path) -> None:
        self.master, other = pty.openpty()
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
        code = "from genpipe.cli.main import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "new-experiment"],
            cwd=root,
            env=environment,
            preexec_fn=lambda: os.login_tty(other),  # so that control-c reaches it
        )
        os.close(other)

    def until(self, prompt: str, limit_sec: float = 60) -> str:
        """What is shown up to a prompt, or, without one, to the end."""
        shown, end = "", time.monotonic() + limit_sec
        while time.monotonic() < end:
            if prompt and prompt in shown:
                return shown
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    shown += os.read(self.master, 4096).decode("utf-8", "replace").replace("\r\n", "\n")
                except OSError:  # the other end is closed
                    return shown
        raise AssertionError(f"'{prompt}' did not come: {shown}")

    def answer(self, prompt: str, text: str) -> str:
        """Waits for a prompt, and types an answer; what was shown up to there."""
        shown = self.until(prompt)
        os.write(self.master, text.encode())
        return shown

    def interrupt(self, prompt: str, limit_sec: float = 60) -> str:
        """Waits for a prompt, and presses control-c until that ends the command; what was shown up to there.

        One that falls between the prompt and the reading behind it is lost.
        """
        shown, end = self.until(prompt), time.monotonic() + limit_sec
        while self.process.poll() is None:
            assert time.monotonic() < end, "control-c is not heard"
            os.write(self.master, b"\x03")
            time.sleep(0.3)
        return shown


@pytest.fixture
def terminal(small_project: Path) -> Iterator[Terminal]:
    asked = Terminal(small_project)
    yield asked
    asked.process.kill()
    asked.process.wait()
    os.close(asked.master)


def test_it_asks_lists_the_choices_and_shows_the_command(terminal: Terminal, small_project: Path) -> None:
    shown = terminal.answer("Number or name: ", "vea\n")
    assert re.search(r"\d+  ae +Deep autoencoder", shown)
    number = recipes.names().index("vae") + 1
    assert "Did you mean 'vae'?" in terminal.answer("Number or name: ", f"{number}\n")
    assert "1  mnist5k  source mnist5k, image_size 32, resize_mode pad" in terminal.answer("name [mnist5k]: ", "\n")
    assert "2  laptop  minutes; its training took 25 s on two cores" in terminal.answer("name [laptop]: ", "smoke\n")
    terminal.answer("Name of the experiment? [vae-2]: ", "vae\n")
    assert "pipelines/vae.yaml would be overwritten" in terminal.answer("experiment? [vae-2]: ", "wide\n")
    terminal.answer("path=value: ", "?\n")
    assert "  latent_dim: 8                    # length of a code" in terminal.answer(
        "path=value: ", "model.architecture=x\n"
    )
    assert "should be 'mlp' or 'conv'" in terminal.answer("path=value: ", "train.steps=5\n")
    terminal.answer("path=value: ", "\n")
    terminal.answer("How many seeds? [1]: ", "none\n")
    assert "'none' is not a whole number" in terminal.answer("seeds? [1]: ", "2\n")
    assert "+    wide-seed-0: {model: vae, data: mnist5k}" in terminal.answer("Write this? [Y/n]: ", "\n")
    end = terminal.until("")
    assert "Next: dvc repro" in end
    command = "genpipe new-experiment wide --recipe vae --profile smoke --set train.steps=5 --seeds 2"
    assert f"To do this again: {command}" in end
    assert terminal.process.wait(10) == 0
    assert Project(small_project).experiment("wide-seed-1").knobs.train.steps == 5


def test_a_recipe_of_a_subfolder_is_called_by_its_last_name(terminal: Terminal) -> None:
    terminal.answer("Number or name: ", "claims/is_misses_what_fid_sees\n")
    terminal.answer("name [mnist5k]: ", "\n")
    terminal.answer("name [laptop]: ", "\n")
    named = "Name of the experiment? [is_misses_what_fid_sees]: "
    assert named in terminal.interrupt(named)


@pytest.mark.parametrize("way", ["no", "control-c", "control-d"])
def test_whoever_stops_has_changed_nothing(terminal: Terminal, contents: Contents, way: str) -> None:
    before = contents()
    if way == "control-c":
        terminal.interrupt("Number or name: ")
    else:
        terminal.answer("Number or name: ", {"no": "pca\n", "control-d": "\x04"}[way])
    if way == "no":
        for prompt in ("name [mnist5k]: ", "name [laptop]: ", "experiment? [pca]: ", "path=value: ", "seeds? [1]: "):
            terminal.answer(prompt, "\n")
        terminal.answer("Write this? [Y/n]: ", "n\n")
    assert "Traceback" not in terminal.until("")
    assert terminal.process.wait(10) != 0
    assert contents() == before
