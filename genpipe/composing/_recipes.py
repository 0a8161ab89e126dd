"""What `new-experiment` starts from: a complete pipeline file with the name of its system and its sizes on top."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from genpipe import registry
from genpipe.composing._editing import source
from genpipe.composing._journal import read as text_of
from genpipe.document import parse, read
from genpipe.errors import UnknownName
from genpipe.packages import RECIPES
from genpipe.schema import Strict
from genpipe.validation import validated

PROFILES = ("smoke", "laptop", "gpu")
"""`laptop` is what stands in a recipe; the others are changes to it."""
_BLOCK = re.compile(r"^recipe:[^\n]*\n(?:[ \t]+[^\n]*\n|\n)*", re.MULTILINE)


class Cost(Strict):
    """What a profile was measured to cost, with the recipe's own knobs and data."""

    sec: Annotated[float, Field(gt=0)]
    """Of the stage `train`, on the wall."""
    machine: Annotated[str, Field(min_length=1)]
    """On which it was measured: "two cores of an AMD EPYC"."""

    def in_words(self) -> str:
        """12 s on two cores of an AMD EPYC."""
        return f"{f'{self.sec:g} s' if self.sec < 120 else f'{self.sec / 60:.3g} min'} on {self.machine}"


class Costs(Strict):
    """Of each profile; null where it was not measured yet."""

    smoke: Cost | None = None
    laptop: Cost | None = None
    gpu: Cost | None = None


class Head(Strict):
    """The `recipe:` block."""

    model: str
    data: str
    cost: Costs = Costs()
    profiles: dict[Literal["smoke", "gpu"], dict[str, Any]]


@dataclass(frozen=True)
class Recipe:
    """A pipeline file to start from: its text, its system and data set, and what each profile changes and costs."""

    name: str
    text: str
    model: str
    data: str
    profiles: dict[str, dict[str, str]]
    cost: Mapping[str, Cost | None]
    dataset: Mapping[str, Any] | None = None
    """The knobs of that data set, for projects that have none of its name."""

    def edits(self, profile: str) -> dict[str, str]:
        """The values, as YAML, that a profile puts at dotted paths. Raises UnknownName."""
        changes = {"laptop": {}, **self.profiles}
        if profile not in changes:
            raise UnknownName(profile, f"profile of recipe '{self.name}'", changes)
        return changes[profile]


def names() -> list[str]:
    """The names of all recipes, sorted, those in subfolders last: "vae", "claims/is_misses_what_fid_sees"."""
    return registry.names(RECIPES)


def summaries() -> list[tuple[str, str, str]]:
    """Each recipe, its package, and its first comment line."""
    return [(name, of, _first_line(file)) for name, of, file in registry.used().listed(RECIPES)]


def summary(name: str) -> str:
    """The first comment line of a recipe."""
    return _first_line(registry.find(RECIPES, name))


def recipe(name: str) -> Recipe:
    """A recipe. Raises UnknownName, or ConfigError if its `recipe:` block is not what it must be."""
    file = registry.find(RECIPES, name)
    return parsed(name, text_of(file) or "", registry.shown(file))


def datasets() -> dict[str, dict[str, Any]]:
    """The knobs of the data sets that recipes are written for, by name; a person's own before genpipe's."""
    found: dict[str, dict[str, Any]] = {}
    for folder in reversed(registry.used().folders(RECIPES).values()):
        if (file := folder / "_datasets.yaml").is_file():
            found |= read(file, registry.shown(file)).value or {}
    return found


def parsed(name: str, text: str, file: str) -> Recipe:
    """The recipe in the text of a file. Raises ConfigError if its `recipe:` block is not what it must be."""
    document = parse(text, file)
    head: Head = validated(Head, (document.value or {}).get("recipe"), ("recipe",), document)
    at = ("recipe", "profiles")
    profiles: dict[str, dict[str, str]]
    profiles = {p: {k: source(text, (*at, p, k)) for k in changes} for p, changes in head.profiles.items()}
    own = _BLOCK.sub("", text, count=1)
    return Recipe(name, own, head.model, head.data, profiles, dict(head.cost), datasets().get(head.data))


def _first_line(file: Path) -> str:
    with file.open(encoding="utf-8", errors="replace") as lines:
        return next(lines, "").lstrip("# ").rstrip()
