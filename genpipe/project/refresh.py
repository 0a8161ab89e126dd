"""Update of a project's wiring from another genpipe, or after edits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genpipe import paths
from genpipe.config.document import parse
from genpipe.config.project import Project
from genpipe.config.wiring import verify_format
from genpipe.errors import ConfigError, ExistsError
from genpipe.project import prerequisites, template
from genpipe.project.datasets import listed
from genpipe.project.editing import put, whole_entry, whole_lines
from genpipe.project.journal import read
from genpipe.project.plan import Change, Plan


def renewal(root: Path) -> Plan:
    """Returns the plan that updates a project's wiring to this genpipe; the user's files and stages stay in dvc.yaml.

    Raises ExistsError with the difference if a file of it was edited otherwise, once what is generated is renewed.
    """
    changes = [Change(root, file, read(root / file), text) for file, text in template.wiring().items()]
    changes = [_keeping(change) if change.file == paths.WIRING else change for change in changes]
    for change in changes:
        if change.file == paths.WIRING and change.before is not None:
            verify_format(change.before)
    edited = [c for c in changes if c.before is not None and c.needed and not _renewable(c)]
    generated = _generated(root)
    if edited and any(change.needed for change in generated):
        return Plan(root, generated)  # of this nothing is a person's, and without it nothing runs
    if edited:
        names = " and ".join(str(change.file) for change in edited)
        raise ExistsError(
            f"{names} would be overwritten, and no genpipe has written it so. This is what would change; take it over "
            f"by hand, or delete the file and run the command again:\n{''.join(change.diff() for change in edited)}"
        )
    return Plan(root, (*changes, *generated))


def deviations(root: Path) -> list[str]:
    """Returns the places where a project's wiring differs from genpipe's, apart from the user's files and stages."""
    found = []
    for file, text in template.wiring().items():
        mine = read(root / file)
        if mine is None or (file != paths.WIRING and mine != text):
            found.append(f"{file}{' is missing' if mine is None else ''}")
        elif file == paths.WIRING:
            found += [f"{file}: {place}" for place in _different(_plain(mine), _plain(text), "stages")]
    return found


def _generated(root: Path) -> tuple[Change, ...]:
    """What makes the wiring of what experiments need as it should be; as it is, while the index cannot be read."""
    try:
        project = Project(root)
    except ConfigError:
        return ()
    return prerequisites.changes(project)


def _renewable(change: Change) -> bool:
    """Whether nothing of a person's is lost."""
    assert change.before is not None
    same = change.file == paths.WIRING and _plain(change.before) == _plain(change.after or "")
    return same or template.unedited(change.file, change.before)


def _plain(text: str) -> dict[str, Any]:
    """The stages of a dvc.yaml that genpipe has, without what a person's own files have added."""
    stages = template.own_stages(parse(text, str(paths.WIRING)).value)
    for at in template.GROWING:
        extra = template.grown(stages, at)
        around = template.around(stages, at)
        if isinstance(around.get(at[-1]), list):
            around[at[-1]] = [dep for dep in around[at[-1]] if dep not in extra]
    return stages


def _keeping(change: Change) -> Change:
    """The new dvc.yaml with the files, stages and other keys that a person has in the old one."""
    if change.before is None or change.after is None:
        return change
    value, text = parse(change.before, str(paths.WIRING)).value, change.after
    stages, new = template.own_stages(value), parse(text).value["stages"]
    for at in template.GROWING:
        if extra := template.grown(stages, at):
            text = put(text, ("stages", *at), listed([*template.around(new, at)[at[-1]], *extra]))
    for name in value.get("stages") or () if isinstance(value, dict) else ():
        if name not in new and name not in template.MOVED:
            text = _with_stage(text, name, whole_lines(change.before, ("stages", name)))
    others = [name for name in value if name not in parse(text).value] if isinstance(value, dict) else []
    own = "".join(f"{whole_entry(change.before, name).rstrip()}\n\n" for name in others)
    return Change(change.root, change.file, change.before, text.replace("stages:\n", f"{own}stages:\n", 1))


def _with_stage(text: str, name: str, body: str) -> str:
    """The text with a stage at its end, laid out as it was: the stages are what dvc.yaml ends with."""
    wanted = f"{text.rstrip()}\n\n  {name}:{' ' if body.startswith('{') else f'{chr(10)}    '}{body}\n"
    if parse(wanted).value["stages"].get(name) != parse(f"a:\n    {body}").value["a"]:
        raise ExistsError(
            f"the stage {name} of {paths.WIRING} cannot be taken over: put it into an own dvc.yaml in a folder."
        )
    return wanted


def _different(mine: Any, theirs: Any, at: str) -> Iterator[str]:
    """The dotted places at which two values differ, as deep as both are mappings."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        for key in dict.fromkeys([*theirs, *mine]):
            yield from _different(mine.get(key), theirs.get(key), f"{at}.{key}")
    elif mine != theirs:
        yield at
