"""The stale stages of an experiment according to DVC, and the changed modules of code."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from genpipe import fingerprints, paths
from genpipe.errors import GenpipeError
from genpipe.files import read_json

FOLLOWS, NEW = "follows what is stale before it", "has never run"
Stale = Mapping[str, list[str]]
"""The stages that the next `dvc repro` would run, in order, each with the reasons."""


def stale(root: Path, name: str) -> Stale:
    """Returns the stale stages of an experiment and its data. Raises GenpipeError if DVC cannot tell."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        fingerprints.write(root)  # as the stage `code` would, which always comes first
        with Repo(str(root)) as repo:
            target = f"evaluate@{name}"
            changed = repo.status(targets=[target], with_deps=True)
            return dict(_in_order(root, repo.index.graph, repo.stage.collect(target)[0], changed))
    except (DvcException, OSError) as error:
        raise GenpipeError(f"DVC cannot tell which stages are stale: {error}") from None


def _in_order(root: Path, graph: Any, last: Any, changed: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Each stage up to the last that is changed itself, or comes after one that is; the first two make nothing new."""
    from networkx import descendants, dfs_postorder_nodes

    first = {"check", "code", f"{paths.CODE_WIRING}:code"}  # `code` alone in a project whose wiring is older
    own = {name: why for name, why in changed.items() if name not in first}
    for stage in dfs_postorder_nodes(graph, last):
        if stage.addressing in own:
            known = any(dependency.hash_info for dependency in stage.deps)
            yield stage.addressing, list(_reasons(root, stage.addressing, own[stage.addressing])) if known else [NEW]
        elif any(before.addressing in own for before in descendants(graph, stage)):
            yield stage.addressing, [FOLLOWS]


def _reasons(root: Path, stage: str, found: Any) -> Iterator[str]:
    """DVC's nested account, flat: "data/mnist5k deleted"; modules in place of the file that lists their hashes."""
    name, _, key = stage.partition("@")
    for entry in found:
        if isinstance(entry, str):
            yield entry
            continue
        for what, changed in entry.items():
            if isinstance(changed, str):
                yield f"{what}: {changed}"
            else:
                for path, state in changed.items():
                    listed = path == str(paths.code(name, key)) and list(modules(root, name, key))
                    yield from listed or [f"{path} {_state(state)}"]


def modules(root: Path, stage: str, key: str) -> Iterator[str]:
    """Yields the modules that changed since the last run of a stage; nothing if it has not run."""
    try:
        before = read_json(root / paths.timing(stage, key)).get("code")
    except (OSError, ValueError):
        return
    if before is None:
        yield "a genpipe that noted no code has run it"
        return
    yield from fingerprints.differences(before, fingerprints.of_stage(root, stage, key))


def _state(state: Any) -> str:
    return state if isinstance(state, str) else f"({', '.join(f'{key} {how}' for key, how in state.items())})"
