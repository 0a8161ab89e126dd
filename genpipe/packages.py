"""Where the parts are that YAML names: in the files of a person's own package, or in those of genpipe.

`flow` is `lab/models/flow.py` or `genpipe/models/flow.py`; `lab.flow` and `genpipe.flow` say which. `params.yaml` names
a person's package. This needs the standard library alone, for it runs at every `dvc repro`.
"""

import keyword
import os
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

LIBRARY = Path(__file__).parents[1]
"""The folder that holds genpipe/."""
GENPIPE = "genpipe"
PARTS = ("models", "data", "derivations", "extractors", "metrics", "analyses")
"""The open folders of Python files that a package may have."""
RECIPES = "recipes"
"""That of YAML files."""
_TAKEN = {"data", "runs", "stages", "reports", "pipelines", "dvc_plots", "mlartifacts", "mlruns", "build", GENPIPE}
"""Folders that a project has anyway."""


class Packages(NamedTuple):
    """The folder of a project, and the package in it that is a person's own."""

    root: Path = LIBRARY
    own: str | None = None

    def folders(self, kind: str) -> dict[str, Path]:
        """The folder of a kind in each package, a person's own first; it need not be there."""
        own = {self.own: self.root / self.own / kind} if self.own else {}
        return {**own, GENPIPE: LIBRARY / GENPIPE / kind}

    def where(self, kind: str, name: str) -> dict[str, Path]:
        """The file of each package that a name may mean; more than one is a mistake of whoever wrote the name."""
        package, _, bare = name.rpartition(".")
        folders = {of: folder for of, folder in self.folders(kind).items() if package in ("", of)}
        return {of: folder / f"{bare}{_suffix(kind)}" for of, folder in folders.items() if bare in _names(folder, kind)}

    def modules(self, kind: str, name: str) -> list[str]:
        """The modules that the name of a part may mean."""
        return [f"{of}.{kind}.{file.stem}" for of, file in self.where(kind, name).items()]

    def listed(self, kind: str) -> list[tuple[str, str, Path]]:
        """Each name of a kind, sorted, with its package and file; a name that two packages have begins with theirs."""
        found = [
            (bare, of, folder / f"{bare}{_suffix(kind)}")
            for of, folder in self.folders(kind).items()
            for bare in _names(folder, kind)
        ]
        bares = [bare for bare, _, _ in found]
        called = [(bare if bares.count(bare) == 1 else f"{of}.{bare}", of, file) for bare, of, file in found]
        return sorted(called, key=lambda one: (one[0].count("/"), one[0]))


def refusal(name: str, root: Path) -> str | None:
    """Why a person's package in a project cannot have a name, and what to do; None if it can."""
    if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name) or name.startswith("_"):
        return f"'{name}' is no name of a Python package: use letters, digits and '_', beginning with a letter."
    if name in _TAKEN:
        return f"'{name}' is a folder of genpipe's own: take another name, such as 'lab'."
    if _installed(name, root):
        return f"'{name}' is the name of an installed module, which Python would find instead: take another one."
    return None


def _installed(name: str, root: Path) -> bool:
    """Whether Python finds a module of this name elsewhere; a mere folder on its way is none."""
    if name in sys.stdlib_module_names:
        return True
    found = find_spec(name)
    return found is not None and found.origin is not None and root.resolve() not in Path(found.origin).resolve().parents


def _names(folder: Path, kind: str) -> set[str]:
    """What the files of a folder are called: "vae", and of a recipe in a folder "claims/optimal_discriminator"."""
    if kind == RECIPES:
        found = (file.relative_to(folder) for file in folder.rglob("*.yaml") if not file.name.startswith("_"))
        return {file.with_suffix("").as_posix() for file in found}
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as files:
        stems = (file.name.removesuffix(".py") for file in files if file.name.endswith(".py"))
        return {stem for stem in stems if stem.isidentifier() and not stem.startswith("_")}
    return set()


def _suffix(kind: str) -> str:
    return ".yaml" if kind == RECIPES else ".py"
