"""What another edition of genpipe makes run again in a project, and because of what code."""

from collections.abc import Iterator

from genpipe import fingerprints
from genpipe.composing._stages import OWN
from genpipe.composing._stale import modules
from genpipe.config import Project

Again = dict[str, list[str]]
"""The stages that run again, as DVC calls them, each with the modules that differ."""


def again(project: Project) -> Again:
    """The stages that have run with other code than there is now; what follows them is not among them."""
    return {stage: why for stage, why in _compared(project) if why}


def _compared(project: Project) -> Iterator[tuple[str, list[str]]]:
    for stages, keys in ((fingerprints.OF_DATA, project.index.datasets), (OWN, project.index.experiments)):
        for key in keys:
            for stage in stages:
                yield f"{stage}@{key}", list(modules(project.root, stage, key))
