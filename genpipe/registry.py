"""Open folders: the name in YAML is the name of a file.

`genpipe/models/vae.py` is the model `vae`; nothing else mentions it. A person's own files lie in the package that
`params.yaml` names, and are looked up first. Names are listed without importing anything, so that listing needs no
torch. A leading underscore hides a file.
"""

import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from genpipe.errors import AmbiguousName, PartError, UnknownName, Unsuitable
from genpipe.packages import LIBRARY, RECIPES, Packages

KINDS = {
    "models": "model",
    "data": "data source",
    "derivations": "derivation",
    "extractors": "feature extractor",
    "metrics": "metric",
    "analyses": "analysis",
}
_WORDS = {**KINDS, RECIPES: "recipe"}
_used = Packages()
_LINES = 6
"""So much of a traceback is shown."""


def use(packages: Packages) -> None:
    """Has names mean the files of a project's package, too; those of another project are forgotten."""
    global _used
    if packages == _used:
        return
    if _used.own:
        sys.path[:] = [at for at in sys.path if at != str(_used.root)]
        for module in [name for name in sys.modules if name.partition(".")[0] == _used.own]:
            del sys.modules[module]
    if packages.own:
        sys.path.append(str(packages.root))
    _used = packages
    _loaded.cache_clear()


def used() -> Packages:
    """The packages in which names are looked up."""
    return _used


def shown(file: Path) -> str:
    """A file as a person knows it: from the root of the project, or from the folder of genpipe/."""
    roots = (root for root in (_used.root, LIBRARY) if file.is_relative_to(root))
    return str(next((file.relative_to(root) for root in roots), file))


def names(kind: str) -> list[str]:
    """The sorted names of one open folder (one of KINDS, or "recipes")."""
    return [name for name, _, _ in _used.listed(kind)]


def find(kind: str, name: str) -> Path:
    """The file that a name means. Raises UnknownName with the nearest name, or AmbiguousName."""
    found = _used.where(kind, name)
    if len(found) > 1:
        raise AmbiguousName(name, _WORDS[kind], [f"{package}.{name}" for package in found])
    if not found:
        raise UnknownName(name, _WORDS[kind], names(kind))
    return next(iter(found.values()))


def load(kind: str, name: str) -> Any:
    """The one public class that the file of a name defines.

    Raises UnknownName, AmbiguousName, and PartError if the file cannot be imported, or defines no or several classes
    with a Config.
    """
    find(kind, name)
    return _loaded(*_used.modules(kind, name))


@cache
def _loaded(name: str) -> Any:
    try:
        return _only(import_module(name))
    except PartError:
        raise
    except Exception as error:
        raise PartError(_broken(name, error)) from error


@cache
def load_file(path: Path) -> Any:
    """The one public class that a file outside of all packages defines; its code runs. Raises PartError."""
    spec = spec_from_file_location(f"genpipe_foreign_{path.stem}", path)
    assert spec, f"{path} is no file of Python"
    assert spec.loader
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return _only(module)


def _only(module: ModuleType) -> Any:
    found = [c for c in vars(module).values() if _defines(c, module.__name__)]
    if len(found) != 1:
        several = f"{len(found)} classes with a Config ({', '.join(c.__name__ for c in found)})"
        said = several if found else "no class with a Config"
        raise PartError(f"{shown(Path(str(module.__file__)))} defines {said}; it must define exactly one.")
    return found[0]


def _broken(name: str, error: Exception) -> str:
    """Which line of a person's file, or of genpipe's, ends its import, and the end of the traceback."""
    import traceback  # only where something is wrong: the stage `code` is to start fast

    package = name.partition(".")[0]
    folder = (_used.root if package == _used.own else LIBRARY) / package
    told = traceback.TracebackException.from_exception(error)
    inside = [frame for frame in told.stack if Path(frame.filename).is_relative_to(folder)]
    places = [(Path(frame.filename), frame.lineno) for frame in inside or told.stack]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((Path(error.filename), error.lineno))
    told.stack = traceback.StackSummary.from_list(inside)
    last = [line for part in told.format() for line in part.splitlines() if not line.startswith("Traceback ")][-_LINES:]
    file, line = places[-1]
    return "\n".join([f"{shown(file)}:{line}: {name} cannot be imported:", *(f"  {text}" for text in last)])


def outline(part: Any, config: Any, spec: Any) -> Any:
    """A model or classifier built from its Config and a DataSpec without memory for its weights.

    Raises Unsuitable if the part does, and where a tensor would have more bytes than can be counted.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    class Undrawn(TorchFunctionMode):
        """Draws no first weights from a Gaussian: without memory PyTorch loads its compiler for it, for a second."""

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            return [*args, *kwargs.values()][0] if func.__name__ == "normal_" else func(*args, **kwargs)

    try:
        with torch.device("meta"), Undrawn():
            return part(config, spec)
    except (RuntimeError, TypeError, OverflowError) as error:
        if "overflow" not in str(error).lower():
            raise
        size = "×".join(map(str, spec.shape))
        raise Unsuitable(f"no memory holds it, with these knobs and images of {size}. Give smaller numbers.") from None


def summaries(kind: str) -> Iterator[tuple[str, str, str]]:
    """Each name of an open folder, its package, and the first line of the file's docstring, read without importing."""
    for name, package, file in _used.listed(kind):
        yield name, package, summary(file)


def summary(file: Path) -> str:
    """The first line of a file's docstring; empty if there is none, or the file is no Python."""
    import ast  # takes long, and the stage `code` needs no summaries

    try:
        return (ast.get_docstring(ast.parse(file.read_bytes())) or "").partition("\n")[0]
    except (SyntaxError, ValueError):
        return ""


def _defines(candidate: object, module: str) -> bool:
    return isinstance(candidate, type) and candidate.__module__ == module and hasattr(candidate, "Config")
