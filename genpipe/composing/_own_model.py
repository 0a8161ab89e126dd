"""A model of a person's own, begun as a copy of another: a file in her package, and a recipe beside it."""

import keyword
import tokenize
from io import StringIO
from pathlib import Path

from genpipe import paths, registry
from genpipe.composing import _recipes as recipes
from genpipe.composing._editing import put, take
from genpipe.composing._journal import read
from genpipe.composing._plan import Change, Plan
from genpipe.config import Project
from genpipe.document import parse
from genpipe.errors import ExistsError, UsageError
from genpipe.packages import RECIPES, refusal


def new_model(project: Project, name: str, source: str, package: str | None) -> Plan:
    """What adds a model and its recipe to the project's own package; writes nothing.

    Raises UsageError, UnknownName, and ExistsError if there is something of this name.
    """
    own, line = _package(project, package)
    _verify_free(name, own)
    model, recipe = Path(own, "models", f"{name}.py"), Path(own, RECIPES, f"{name}.yaml")
    texts = {model: _renamed(source, name), recipe: _recipe(source, name)}
    changes = [Change(project.root, file, read(project.root / file), text) for file, text in texts.items()]
    if taken := [str(change.file) for change in changes if change.before is not None]:
        raise ExistsError(f"{' and '.join(taken)} would be overwritten. Take another name.")
    return Plan(project.root, (*changes, *line))


def _package(project: Project, package: str | None) -> tuple[str, list[Change]]:
    """The project's own package, and what names it in the index where none is named yet."""
    own = project.index.package
    if own and package not in (None, own):
        raise UsageError(f"the package of this project is {own} ({paths.INDEX}); leave out --package {package}.")
    if own:
        return own, []
    if package is None:
        raise UsageError("this project has no package of its own yet: say what to call it, such as --package lab.")
    if why := refusal(package, project.root):
        raise UsageError(f"--package: {why}")
    before = read(project.root / paths.INDEX)
    assert before is not None, "the project was read from it"
    return package, [Change(project.root, paths.INDEX, before, put(before, ("package",), package))]


def _verify_free(name: str, own: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise UsageError(f"a model cannot be called '{name}': use letters, digits and '_', beginning with a letter.")
    packages = registry.used()
    for kind, what in (("models", "model"), (RECIPES, "recipe")):
        if there := packages.where(kind, name):
            raise ExistsError(f"{next(iter(there))} has a {what} called '{name}'. Take another name, for {own}.")


def _renamed(source: str, name: str) -> str:
    """The text of a model's file, with its class called after the new name."""
    text, kind = read(registry.find("models", source)) or "", registry.load("models", source)
    title = "".join(word[:1].upper() + word[1:] for word in name.split("_"))
    tokens = [token for token in tokenize.generate_tokens(StringIO(text).readline) if token.string == kind.__name__]
    lines = text.splitlines(keepends=True)
    for (row, start), (_, end) in reversed([(token.start, token.end) for token in tokens]):
        lines[row - 1] = lines[row - 1][:start] + title + lines[row - 1][end:]
    return "".join(lines)


def _recipe(source: str, name: str) -> str:
    """The text of the recipe of a model, for the new one; what it was measured to cost does not hold for that."""
    bare = source.rpartition(".")[2]
    found = [one for one in recipes.names() if recipes.recipe(one).model in (source, bare)]
    if not found:
        raise UsageError(f"no recipe is of {source}: write {RECIPES}/{name}.yaml by hand, or start from another model.")
    chosen = bare if bare in found else found[0]
    text = put(read(registry.find(RECIPES, chosen)) or "", ("recipe", "model"), name)
    if "cost" in parse(text).mapping("recipe"):
        text = take(text, ("recipe", "cost"))
    return f"# {name}, begun as a copy of the recipe {chosen}. What it says below is of that one.\n{text}"
