"""DVC's check of planned files."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from genpipe import paths
from genpipe.config import wiring
from genpipe.errors import ConfigError, Problem

_SETTINGS = "[core]\n    no_scm = true\n    analytics = false\n    site_cache_dir = {folder}\n"


def verify(root: Path, texts: Mapping[Path, str | None]) -> None:
    """Lets DVC read the project with some new texts; the project itself is not changed.

    None stands for a file that is gone. Raises ConfigError if dvc.yaml lacks something, if DVC cannot read it, or if
    stages would write to the same place or wait for each other.
    """
    with TemporaryDirectory(prefix="genpipe-") as folder:
        trial = Path(folder).resolve()
        _copy(root, trial, texts)
        wiring.load(trial)
        problem = _objection(trial)
    if problem:
        changed = "after this change. Perhaps another name helps."
        as_is = "as it is. `genpipe init --refresh` renews its wiring, or shows what was edited."
        message = f"DVC would refuse the project {changed if texts else as_is} {problem}"
        raise ConfigError([Problem(str(paths.WIRING), None, "", message)])


def _copy(root: Path, trial: Path, texts: Mapping[Path, str | None]) -> None:
    (trial / ".dvc").mkdir()
    (trial / ".dvc" / "config").write_text(_SETTINGS.format(folder=trial / ".dvc" / "site"), encoding="utf-8")
    for name in (paths.WIRING, paths.INDEX, paths.CODE_WIRING, paths.PREREQUISITES_WIRING):
        (trial / name).parent.mkdir(parents=True, exist_ok=True)
        if (root / name).is_file():
            shutil.copyfile(root / name, trial / name)
    if (root / paths.PIPELINES).is_dir():
        shutil.copytree(root / paths.PIPELINES, trial / paths.PIPELINES)
    for name, text in texts.items():
        (trial / name).parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            (trial / name).unlink(missing_ok=True)
        else:
            (trial / name).write_text(text, encoding="utf-8")


def _objection(trial: Path) -> str | None:
    """What DVC finds wrong with the wiring and the knobs in a folder, if anything."""
    from dvc.dependency import ParamsDependency
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(trial)) as repo:
            repo.index.check_graph()
            for dependency in repo.index.deps:
                if isinstance(dependency, ParamsDependency) and (trial / dependency.fs_path).is_file():
                    dependency.read_params()
    except DvcException as error:
        return str(error).replace(os.path.relpath(trial) + os.sep, "")
    return None
