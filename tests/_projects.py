"""A project in a temporary folder, with git and DVC, in which programs run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests._forks import Fork, Forks

ROOT = Path(__file__).parents[1]
AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@b")
UNSET = ("MLFLOW", "DVC_", "GIT_", "PYTHON")
IGNORED = shutil.ignore_patterns("__pycache__", "dvc.lock")
CODE = "stages/code/dvc.yaml:code"
"""The stage that always runs, as DVC calls it."""
FORKED = ("dvc", "genpipe", "genpipe-stage")


def environment(programs: Path | str = Path(sys.executable).parent) -> dict[str, str]:
    """The environment of a person who has done nothing but put a folder of programs into PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(UNSET)}
    return {
        **kept,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }


def wire(root: Path) -> None:
    """Gives a project the wiring of this repository."""
    shutil.copy(ROOT / "dvc.yaml", root)
    shutil.copytree(ROOT / "stages", root / "stages", ignore=IGNORED)


class Project:
    """A folder, and what runs in it. Commands of genpipe and DVC are forks of a process that has what they import."""

    def __init__(self, root: Path, forks: Forks) -> None:
        self.root, self.forks = root, forks
        self.environment = {**environment(), "PYTHONPATH": str(root)}

    def begin(self, *copied: str) -> None:
        """Makes the folder with the wiring of this repository, some of its folders, git and DVC."""
        self.root.mkdir(exist_ok=True)
        wire(self.root)
        for name in copied:
            shutil.copytree(ROOT / name, self.root / name, ignore=IGNORED)
        for name in (".gitignore", ".dvcignore"):
            shutil.copy(ROOT / name, self.root)
        self.run("git", "init", "-q")
        self.run("dvc", "init", "-q")

    def start(self, *words: str) -> Fork:
        """A command in a process group of its own, as a terminal runs it."""
        return Fork(self.forks, words, self.root, self.environment)

    def start_process(self, *words: str) -> subprocess.Popen[str]:
        """The same as no fork."""
        return subprocess.Popen(
            words,
            cwd=self.root,
            env=self.environment,
            start_new_session=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *words: str, status: int = 0) -> str:
        """What a command prints, both streams."""
        return self.said(self.start(*words) if words[0] in FORKED else self.start_process(*words), status)

    def run_process(self, *words: str, status: int = 0) -> str:
        """The same as no fork."""
        return self.said(self.start_process(*words), status)

    @staticmethod
    def said(started: Fork | subprocess.Popen[str], status: int = 0) -> str:
        """What a command prints until it ends as it should."""
        said, _ = started.communicate()
        assert started.returncode == status, said
        assert "Traceback" not in said, said
        return said

    def commit(self, message: str) -> None:
        """Commits all that is there."""
        self.run("git", "add", "-A")
        self.run("git", *AUTHOR, "commit", "-qm", message)

    def repro(self, *words: str, status: int = 0) -> set[str]:
        """The stages that `dvc repro` runs, besides `code`, which always runs."""
        return self.ran(self.run("dvc", "repro", *words, status=status))

    @staticmethod
    def ran(said: str) -> set[str]:
        """The stages that DVC says it runs, besides `code`, which must be the first."""
        names = re.findall(r"Running stage '(\S+)'", said)
        assert names[:1] == [CODE], said
        return set(names) - {CODE}

    def edit(self, file: str, old: str, new: str) -> None:
        """Replaces a text in a file, which has it."""
        text = (self.root / file).read_text()
        assert old in text, f"{file} has no {old}"
        (self.root / file).write_text(text.replace(old, new))
