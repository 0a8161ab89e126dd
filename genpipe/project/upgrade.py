"""Upgrade of a project from another genpipe: new names in YAML, and the stages that run again for their code."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genpipe import fingerprints, paths
from genpipe.config.document import KeyPath, parse
from genpipe.config.renamed import new_key, new_value
from genpipe.project.editing import put, rename
from genpipe.project.journal import read
from genpipe.project.plan import Change, Plan
from genpipe.project.refresh import renewal
from genpipe.project.stages import OWN
from genpipe.project.stale import modules

Again = dict[str, list[str]]
"""The stages that run again, as DVC calls them, each with the modules that differ."""


def upgraded(root: Path) -> Plan:
    """Returns the plan that upgrades a project: its wiring, and the names in its index and pipelines.

    Raises ExistsError if the wiring was edited, ConfigError if a file is no YAML, GenpipeError if one is too knotted to
    be changed at one place.
    """
    files = [paths.INDEX, *sorted(file.relative_to(root) for file in (root / paths.PIPELINES).glob("*.yaml"))]
    texts = {file: read(root / file) for file in files}
    said = [Change(root, file, text, modernized(text, str(file))) for file, text in texts.items() if text is not None]
    return Plan(root, (*renewal(root).files, *said))


def modernized(text: str, source: str = "") -> str:
    """Returns the text of an index or a pipeline with new names for old keys and values, otherwise unchanged.

    Raises ConfigError if it is no YAML, GenpipeError if it is too knotted to be changed at one place.
    """
    while found := next(_old(parse(text, source).value), None):
        path, key, value = found
        text = rename(text, path, key) if key else put(text, path, value)
    return text


def again(root: Path) -> Again:
    """Returns the stages that have run with other code than the present one, without the stages after them."""
    return {stage: why for stage, why in _compared(root) if why}


def _old(value: Any, before: KeyPath = ()) -> Iterator[tuple[KeyPath, str, str]]:
    """Old keys and old values, the inner ones first, each with its place and the new word."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        path = (*before, key)
        yield from _old(inner, path)
        if new := new_key(path):
            if new not in value:
                yield path, new, ""
        elif isinstance(inner, str) and (word := new_value(path, inner)):
            yield path, "", word


def _compared(root: Path) -> Iterator[tuple[str, list[str]]]:
    with fingerprints.Reader(root) as reader:
        named = ((fingerprints.OF_DATA, reader.datasets), (OWN, reader.experiments))
    for stages, keys in named:
        for key in keys:
            for stage in stages:
                yield f"{stage}@{key}", list(modules(root, stage, key))
