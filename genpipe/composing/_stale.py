"""Which stages of an experiment are stale, as DVC sees it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from genpipe.errors import GenpipeError

FOLLOWS, NEW = "follows what is stale before it", "has never run"
Stale = Mapping[str, list[str]]
"""The stages that the next `dvc repro` would run, in order, each with the reasons."""


def stale(root: Path, name: str) -> Stale:
    """The stale stages of an experiment, those of its data included. Raises GenpipeError if DVC cannot tell."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            target = f"evaluate@{name}"
            changed = repo.status(targets=[target], with_deps=True)
            return dict(_in_order(repo.index.graph, repo.stage.collect(target)[0], changed))
    except (DvcException, OSError) as error:
        raise GenpipeError(f"DVC cannot tell which stages are stale: {error}") from None


def _in_order(graph: Any, last: Any, changed: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Each stage up to the last that is changed itself, or comes after one that is; `check` makes nothing new."""
    from networkx import descendants, dfs_postorder_nodes

    own = {name: why for name, why in changed.items() if name != "check"}
    for stage in dfs_postorder_nodes(graph, last):
        if stage.addressing in own:
            known = any(dependency.hash_info for dependency in stage.deps)
            yield stage.addressing, list(_reasons(own[stage.addressing])) if known else [NEW]
        elif any(before.addressing in own for before in descendants(graph, stage)):
            yield stage.addressing, [FOLLOWS]


def _reasons(found: Any) -> Iterator[str]:
    """DVC's nested account, flat: "data/mnist5k deleted"."""
    for entry in found:
        if isinstance(entry, str):
            yield entry
            continue
        for what, paths in entry.items():
            if isinstance(paths, str):
                yield f"{what}: {paths}"
            else:
                yield from (f"{path} {_state(state)}" for path, state in paths.items())


def _state(state: Any) -> str:
    return state if isinstance(state, str) else f"({', '.join(f'{key} {how}' for key, how in state.items())})"
