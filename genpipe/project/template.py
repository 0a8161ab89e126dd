"""The wiring of a project as this genpipe has it: the repository's own, which the wheel holds in genpipe/template/."""

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from genpipe import paths
from genpipe.config.document import parse
from genpipe.files import read_text

STARTER = Path(__file__).parent / "starter"
"""The files of a new project besides its wiring."""
_PACKED, _REPOSITORY = Path(__file__).parents[1] / "template", Path(__file__).parents[2]
PACKAGE = '"""Our own models, data, derivations, extractors, metrics, analyses and recipes: a folder for each."""\n'
"""The first file of the user's package."""
MOVED = {"code": paths.CODE_WIRING}
"""Stages that dvc.yaml once had, and the file that has them now."""
GROWING = (("check", "deps"), ("reference", "do", "deps"))
"""The lists of dvc.yaml that a person's own files are added to."""
_SHIPPED = STARTER / "shipped.txt"


def wiring() -> dict[Path, str]:
    """Returns the text of dvc.yaml, of the stages that stand apart, and of each script in stages/."""
    folder = _folder()
    apart = [folder / file for file in MOVED.values()]
    files = [folder / paths.WIRING, *apart, *sorted((folder / "stages").glob("*.py"))]
    return {file.relative_to(folder): read_text(file) for file in files}


@cache
def usual() -> Mapping[str, Any]:
    """Returns the stages of this genpipe's dvc.yaml; not to be changed."""
    stages: dict[str, Any] = parse(read_text(_folder() / paths.WIRING)).value["stages"]
    return stages


def ignored() -> dict[Path, str]:
    """Returns the text of .gitignore and .dvcignore."""
    return {Path(name): read_text(_folder() / name) for name in (".gitignore", ".dvcignore")}


def unedited(file: Path, text: str) -> bool:
    """Returns whether a file of the wiring equals that of a genpipe edition; the user's additions are ignored."""
    return digest(file, text) in read_text(_SHIPPED).split()


def digest(file: Path, text: str) -> str:
    """Returns a hash of a file of the wiring; for dvc.yaml of its parsed content without the user's additions."""
    if file == paths.WIRING:
        stages = own_stages(parse(text, str(file)).value)
        for at in GROWING:
            around(stages, at).pop(at[-1], None)
        text = json.dumps(stages, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def own_stages(value: Any) -> dict[str, Any]:
    """Returns those stages of a parsed dvc.yaml that genpipe has, too, or had."""
    stages = value.get("stages") if isinstance(value, dict) else None
    known = usual().keys() | MOVED
    return {name: deepcopy(body) for name, body in (stages or {}).items() if name in known}


def grown(stages: Mapping[str, Any], at: tuple[str, ...]) -> list[str]:
    """Returns the dependencies on the user's own files in a list: those that no stage makes."""
    listed = around(stages, at).get(at[-1])
    known = around(usual(), at)[at[-1]]
    made = ("runs/", "data/${", "reports/")
    return [dep for dep in listed or () if isinstance(dep, str) and dep not in known and not dep.startswith(made)]


def around(stages: Mapping[str, Any], at: tuple[str, ...]) -> dict[str, Any]:
    """Returns the mapping that holds a list; empty if there is none."""
    found: Any = stages
    for key in at[:-1]:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _folder() -> Path:
    return _PACKED if _PACKED.is_dir() else _REPOSITORY
