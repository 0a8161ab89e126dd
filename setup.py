"""Packs the wiring of a project, which lies at the root of the repository, into the wheel."""

from pathlib import Path
from shutil import copyfile

from setuptools import setup
from setuptools.command.build_py import build_py

WIRING = [path for pattern in ("*.py", "code/dvc.yaml") for path in sorted(Path("stages").glob(pattern))]
TEMPLATE = ["dvc.yaml", ".gitignore", ".dvcignore", *map(str, WIRING)]


class WithTemplate(build_py):
    """Copies it into genpipe/template/; an editable install finds it where it lies."""

    def run(self) -> None:
        """Builds, then copies."""
        super().run()
        for name in () if self.editable_mode else TEMPLATE:
            target = Path(self.build_lib, "genpipe", "template", name)
            target.parent.mkdir(parents=True, exist_ok=True)
            copyfile(name, target)


setup(cmdclass={"build_py": WithTemplate})
