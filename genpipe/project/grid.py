"""Grids: an experiment for every combination of some knobs' values, named by its values."""

import re
from collections.abc import Iterable, Mapping
from itertools import product
from math import prod

from genpipe.errors import UsageError
from genpipe.project.editing import items

MOST = 500
"""The most experiments to make at once."""
_LONGEST = 24
"""The most characters of a value in a name."""
Edits = list[tuple[str, str]]
"""Dotted paths with values in YAML."""


def settings(given: Iterable[str], flag: str) -> Edits:
    """Returns the dotted path and the YAML of each `path=value`. Raises UsageError for any other form."""
    found = []
    for setting in given:
        path, equals, value = setting.partition("=")
        if not equals or not path.strip():
            raise UsageError(f"{flag} {setting}: a path, '=' and a value are needed, as in {flag} train.steps=2000.")
        found.append((path.strip(), value))
    return found


def variants(name: str, sets: Iterable[str], grids: Iterable[str], seeds: int | None) -> list[tuple[str, Edits]]:
    """Returns the name and the edits of each experiment; a single one with the given name if nothing varies.

    Raises UsageError or ConfigError if a flag is not what it must be.
    """
    fixed, varied = settings(sets, "--set"), settings(grids, "--grid")
    _refuse_twice([*(path for path, _ in varied), *(["seed"] if seeds is not None else [])])
    axes = {path: _values(path, text) for path, text in varied}
    if seeds is not None:
        axes["seed"] = [str(seed) for seed in range(_positive(seeds))]
    _refuse_both(dict(fixed), axes)
    _refuse_too_many(axes)
    combinations = [list(zip(axes, values, strict=True)) for values in product(*axes.values())]
    names = _distinct(_named(name, combination) for combination in combinations)
    return [(called, [*fixed, *edits]) for called, edits in zip(names, combinations, strict=True)]


def _refuse_twice(varied: list[str]) -> None:
    for path in varied:
        if varied.count(path) > 1:
            raise UsageError(f"{path} is varied twice. Give all of its values in one --grid, or --seeds alone.")


def _values(path: str, text: str) -> list[str]:
    values = items(text, f"--grid {path}")
    twice = [value for value in values if values.count(value) > 1]
    if not values or twice:
        wrong = f"{twice[0]} is given twice" if twice else "no value is given"
        raise UsageError(f"--grid {path}: {wrong}; different values are needed, as in --grid {path}=1,2,3.")
    return values


def _positive(seeds: int) -> int:
    if seeds < 1:
        raise UsageError(f"--seeds {seeds}: 1 or more are needed; 3 stands for the seeds 0, 1 and 2.")
    return seeds


def _refuse_both(fixed: Mapping[str, str], axes: Mapping[str, list[str]]) -> None:
    for path in axes:
        if path in fixed:
            raise UsageError(f"{path} is both set and varied. Drop --set {path}={fixed[path]}, or do not vary it.")


def _refuse_too_many(axes: Mapping[str, list[str]]) -> None:
    count = prod(len(values) for values in axes.values())
    if count > MOST:
        raise UsageError(f"this would make {count:,} experiments, and {MOST} at once are allowed: vary less.")


def _named(name: str, combination: Edits) -> str:
    """vae-latent_dim-8-seed-1."""
    paths = [path for path, _ in combination]
    return "-".join([name, *(f"{_short(path, paths)}-{_slug(value)}" for path, value in combination)])


def _short(path: str, paths: list[str]) -> str:
    """The last word of a path; with more words before it if another path ends alike."""
    words = path.split(".")
    endings = (".".join(words[-n:]) for n in range(1, len(words) + 1))
    return next((e for e in endings if not any(f".{p}".endswith(f".{e}") for p in paths if p != path)), path)


def _slug(value: str) -> str:
    """A value as part of a name: [16, 32] is 16-32."""
    words = re.sub(r"[^A-Za-z0-9_.]+", "-", re.sub(r"(?<![A-Za-z0-9])-(?=[.0-9])", "minus", value))
    return words.strip("-.")[:_LONGEST].rstrip("-.") or "none"


def _distinct(names: Iterable[str]) -> list[str]:
    """The names; one that is taken, in whatever case, gets a number."""
    taken: set[str] = set()
    found = []
    for name in names:
        number, free = 1, name
        while free.lower() in taken:
            number, free = number + 1, f"{name}-{number + 1}"
        taken.add(free.lower())
        found.append(free)
    return found
