"""Runs what the documentation shows, in the current folder and in one process: JSON of commands in, of outcomes out."""

import contextlib
import io
import json
import sys
import traceback
from importlib import import_module

from genpipe.cli import main
from genpipe.running.stages import single, stage
from genpipe.stages.check import check


def outcome(words: list[str]) -> list[object]:
    """The exit status of a command of genpipe or of `stage NAME KEY`, and what it said."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            if words == ["stage", "check"]:
                status = single("check", check)
            elif words[0] == "stage":
                status = stage(words[1], import_module(f"genpipe.stages.{words[1]}").run, words[2:])
            else:
                sys.argv = words
                status = main.run()
        except Exception:  # a traceback is a fault of the documentation or of the program, and is told
            status = -1
            traceback.print_exc()
    return [status, said.getvalue()]


if __name__ == "__main__":
    print(json.dumps([outcome(words) for words in json.load(sys.stdin)]))
