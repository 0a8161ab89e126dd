"""The wiring of experiments that need others, or the extractors of their data, before they train.

`foreach` gives all trainings the same dependencies, so those that need more have a stage each in a dvc.yaml apart.
It is written anew by whatever changes which experiments there are, and by nobody else.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from genpipe import mentions, paths
from genpipe.config import wiring
from genpipe.config.document import Document, parse
from genpipe.config.prerequisites import circles, files, listed, needed
from genpipe.config.project import Experiment, Project
from genpipe.errors import ConfigError, ExistsError, GenpipeError, Problem
from genpipe.project.editing import word
from genpipe.project.journal import read
from genpipe.project.plan import Change

HEAD = (
    "# Written by genpipe: what experiments need before they train, as their YAML has it. Edits are overwritten;\n"
    "# `genpipe init --refresh` writes it anew.\n\nstages:\n"
)
_LOCK = paths.PREREQUISITES_WIRING.with_name("dvc.lock")
_REMEDY = "`genpipe init --refresh` writes it anew."
Needs = Mapping[str, list[str]]
"""Of each experiment that needs something the places of that: folders of extractors and of finished models."""


def changes(
    project: Project,
    fresh: Iterable[Experiment] = (),
    gone: Collection[str] = (),
    called: Mapping[str, str] | None = None,
) -> tuple[Change, ...]:
    """What makes the wiring that of a project with other experiments: some new or as never before, gone, or renamed.

    Raises ConfigError if experiments would wait for each other.
    """
    names = called or {}
    needs = {names.get(name, name): deps for name, deps in _needs(project).items() if name not in gone}
    for experiment in fresh:
        needs[experiment.name] = files(experiment.data.name, needed(experiment))
    if circular := list(_circular(project, needs)):
        raise ConfigError(circular)
    text = text_of({name: deps for name, deps in needs.items() if deps})
    wanted = {paths.PREREQUISITES_WIRING: text, **({_LOCK: None} if text is None else {})}
    found = (Change(project.root, file, read(project.root / file), after) for file, after in wanted.items())
    return tuple(change for change in found if (change.before, change.after) != (None, None))


def text_of(needs: Needs) -> str | None:
    """The wiring in which each experiment has a stage; None if none needs any."""
    stages: dict[str, str] = {}
    for name, deps in needs.items():
        stages[_unlike(name.replace(".", "-"), stages)] = _stage(name, deps)
    return HEAD + "\n".join(f"  {word(stage)}:\n{body}" for stage, body in stages.items()) if stages else None


def refuse_if_needed(project: Project, name: str, what: str) -> None:
    """Raises ExistsError if other experiments need this one before they train."""
    model = str(paths.model(name))
    if users := [other for other, deps in _needs(project).items() if model in deps and other != name]:
        verb = "needs" if len(users) == 1 else "need"
        raise ExistsError(
            f"{', '.join(users)} {verb} {name} before training, so it is not {what}. Remove {users[0]} first (genpipe "
            f"remove {users[0]}), or let its `model` name another experiment."
        )


def problems(project: Project) -> Iterator[Problem]:
    """What is wrong with what experiments, each of which is valid, need: circles, and wiring that does not have it."""
    needs = {n: files(one.data, listed(project, n)) for n, one in project.index.experiments.items()}
    if circular := list(_circular(project, needs)):
        yield from circular
        return
    needs = {name: deps for name, deps in needs.items() if deps}
    present, text = _present(project), text_of(needs)
    if text != read(project.root / paths.PREREQUISITES_WIRING):
        differing = [name for name in {**needs, **present} if needs.get(name) != present.get(name)]
        said = f"what {', '.join(differing)} needs before training is not" if differing else "this is not quite"
        yield Problem(str(paths.PREREQUISITES_WIRING), None, "", f"{said} as the YAML has it: {_REMEDY}")
    for name in needs:
        if str(file := paths.prerequisites(name)) not in wiring.stage(project.root, "train", name).deps:
            told = f"'{file}' is missing, so that {name} would not wait for what it needs: `genpipe init --refresh`."
            yield wiring.document_of(project.root).problem(("stages", "train", "do", "deps"), told)
            return


def _needs(project: Project) -> Needs:
    """What the experiments of the index need; where one is not valid, what it needed when it was."""
    present, found = _present(project), dict[str, list[str]]()
    for name, entry in project.index.experiments.items():
        found[name] = present.get(name, [])
        with suppress(GenpipeError):
            found[name] = files(entry.data, listed(project, name))
    return found


def _present(project: Project) -> Needs:
    """What the wiring has now."""
    return mentions.prerequisites((read(project.root / paths.PREREQUISITES_WIRING) or "").encode())


def _stage(name: str, deps: Iterable[str]) -> str:
    lines = "".join(f"      - {word(dep)}\n" for dep in deps)
    return (
        f"    cmd: genpipe-stage prerequisites {name}\n    wdir: ../..\n    deps:\n{lines}"
        f"    outs:\n      - {paths.prerequisites(name)}: {{cache: false}}\n"
    )


def _unlike(stage: str, others: Mapping[str, Any]) -> str:
    """A name of a stage, which DVC wants without a dot, that no other has."""
    while stage in others:
        stage += "-"
    return stage


def _circular(project: Project, needs: Needs) -> Iterator[Problem]:
    """The experiments that would wait for each other."""
    others = {name: [other for other in needs if str(paths.model(other)) in deps] for name, deps in needs.items()}
    for circle in circles(others):
        file, way = paths.pipeline(circle[0]), " needs ".join([*circle, circle[0]])
        text = read(project.root / file)
        said = Document(str(file), None) if text is None else parse(text, str(file))
        yield said.problem(("model",), f"{way} before it trains, so none of them can: name other experiments.")
