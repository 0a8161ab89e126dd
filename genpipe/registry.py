"""Open folders: the name in YAML is the name of a file.

`genpipe/models/vae.py` is the system `vae`; nothing else mentions it. Names are listed without importing anything, so
that listing needs no torch. A leading underscore hides a file.
"""

import ast
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from genpipe.errors import UnknownName, Unsuitable

PACKAGE = Path(__file__).parent
KINDS = {
    "models": "system",
    "data": "data source",
    "extractors": "feature extractor",
    "metrics": "metric",
    "analyses": "analysis",
}


def names(kind: str) -> list[str]:
    """The sorted names of one open folder ("models", "data", "extractors", "metrics" or "analyses")."""
    return sorted(m.name for m in pkgutil.iter_modules([str(PACKAGE / kind)]) if not m.name.startswith("_"))


@cache
def load(kind: str, name: str) -> Any:
    """The one public class that the file `genpipe/<kind>/<name>.py` defines.

    Raises UnknownName, with the nearest name, if there is no such file.
    """
    if name not in names(kind):
        raise UnknownName(name, KINDS[kind], names(kind))
    return _only(import_module(f"genpipe.{kind}.{name}"))


@cache
def load_file(path: Path) -> Any:
    """The one public class that a file outside of genpipe defines; its code runs."""
    spec = spec_from_file_location(f"genpipe_foreign_{path.stem}", path)
    assert spec, f"{path} is no file of Python"
    assert spec.loader
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return _only(module)


def _only(module: ModuleType) -> Any:
    found = [c for c in vars(module).values() if _defines(c, module.__name__)]
    assert len(found) == 1, f"{module.__file__} defines {len(found)} classes with a Config; it must define exactly one"
    return found[0]


def outline(part: Any, config: Any, spec: Any) -> Any:
    """A system or classifier built from its Config and an ImageSpec without memory for its weights.

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


def summary(kind: str, name: str) -> str:
    """The first line of a file's docstring, read without importing it."""
    text = (PACKAGE / kind / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def summaries(kind: str) -> Iterator[tuple[str, str]]:
    """Each name of an open folder with its one-line summary."""
    return ((name, summary(kind, name)) for name in names(kind))


def _defines(candidate: object, module: str) -> bool:
    return inspect.isclass(candidate) and candidate.__module__ == module and hasattr(candidate, "Config")
