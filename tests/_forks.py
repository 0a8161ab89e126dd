"""Programs that are forks of a process with all that is heavy in it; they are used as those of `subprocess` are."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

FORKING = Path(__file__).with_name("_forking.py")


class Forks:
    """A process that has imported PyTorch, MLflow and DVC, and starts what is asked for as forks of itself."""

    def __init__(self, environment: Mapping[str, str], python: Path | str = sys.executable) -> None:
        self._server = subprocess.Popen(
            [python, "-P", FORKING], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, name: str, *arguments: Any) -> Any:
        """What a function of `_forking.py` gives."""
        print(json.dumps([name, arguments]), file=self._server.stdin, flush=True)
        assert self._server.stdout is not None
        return json.loads(self._server.stdout.readline())

    def close(self) -> None:
        """Ends the process, not its forks."""
        self._server.kill()
        self._server.communicate()


class Fork:
    """A program that runs: the part of `subprocess.Popen` that tests use."""

    def __init__(self, forks: Forks, words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._forks, self.returncode = forks, None
        with NamedTemporaryFile(delete=False) as log:
            self._log = Path(log.name)
        self.pid: int = forks.ask("start", words, str(folder), dict(environment), log.name)

    def poll(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._ended(wait=False)

    def communicate(self) -> tuple[str, None]:
        """Waits for its end; what it and what it started have said, both streams."""
        self._ended(wait=True)
        said = self._log.read_text()
        self._log.unlink()
        return said, None

    def kill(self) -> None:
        """Kills it, and nothing that it has started."""
        os.kill(self.pid, signal.SIGKILL)

    def _ended(self, wait: bool) -> int | None:
        if self.returncode is None:
            self.returncode = self._forks.ask("status", self.pid, wait)
        return self.returncode
