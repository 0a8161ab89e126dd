"""The shape of the house, read from its own source."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from genpipe import registry

ROOT = Path(__file__).parents[1]
FLOORS = [
    {"cli", "stages", "api"},
    {"project", "reporting", "running", "tracking"},
    {"testing", "contract", "standins"},
    {"evaluation"},
    {"training"},
    {"sampling", "provenance"},
    {"artifacts", "outputs"},
    set(registry.KINDS),
    {"dataset"},
    {"nn"},
    {"config"},
    {"registry"},
    {"interfaces"},
    {"fingerprints"},
    {"files", "paths", "plotting", "schema", "packages", "mentions"},
    {"errors"},
]
"""From the top down: a room imports from floors below its own; on its own floor too, unless it is an open folder."""
SOURCES = sorted([*ROOT.glob("genpipe/**/*.py"), *ROOT.glob("stages/*.py")])


def room(path: Path) -> str:
    """The first folder or file below genpipe/, or "stages"."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "genpipe" and len(parts) > 1 else parts[0]


@cache
def imports(path: Path) -> frozenset[Path]:
    """The files of this project that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= set(_files(node.module))
            found |= {file for alias in node.names for file in _files(f"{node.module}.{alias.name}")}
        elif isinstance(node, ast.Import):
            found |= {file for alias in node.names for file in _files(alias.name)}
    return frozenset(found)


def _files(module: str) -> Iterator[Path]:
    stem = ROOT / Path(*module.split("."))
    yield from (file for file in (stem.with_suffix(".py"),) if file.is_file() and ROOT in file.parents)


def floor(name: str) -> int:
    return next(i for i, names in enumerate(FLOORS) if name in names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_downward_only(path: Path) -> None:
    mine = room(path)
    if mine == "__init__":
        assert {room(file) for file in imports(path)} <= {"api"}, "the package itself only says where its face is"
        return
    for other in {room(file) for file in imports(path)} - {mine, "__init__"}:
        same_floor = floor(mine) == floor(other) and mine not in registry.KINDS
        assert floor(mine) < floor(other) or same_floor, f"{path} imports {other}, which is above it"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_what_a_room_keeps_to_itself_is_imported_nowhere_else(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("genpipe."):
            words = [*(node.module or "").split(".")[1:], *(alias.name for alias in node.names)]
            own = words[0] == room(path)
            assert own or not any(word.startswith("_") for word in words), f"{path}:{node.lineno}: {' '.join(words)}"


@pytest.mark.parametrize("path", sorted(ROOT.glob("genpipe/**/__init__.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_package_says_what_it_is_and_exports_nothing(path: Path) -> None:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path
    assert len(body) == 1 or path.parent.name == "genpipe", f"{path}: name what it defines in a module"


def test_a_model_is_named_nowhere_but_in_its_file_recipe_and_pipelines() -> None:
    for path in SOURCES:
        strings = {n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)}
        named = strings & set(registry.names("models"))
        assert not named, f"{path} names the model {named}"


def test_shapes_are_verified_while_tests_run_wherever_they_are_declared(pytestconfig: pytest.Config) -> None:
    verified = pytestconfig.getoption("--jaxtyping-packages").split(",")
    declared = {room(p) for p in SOURCES if re.search(r"from (jaxtyping|genpipe\.interfaces\.tensors) ", p.read_text())}
    assert verified == [*(f"genpipe.{name}" for name in sorted(declared)), "beartype.beartype"]


def test_only_tracking_imports_mlflow() -> None:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert room(path) == "tracking" or ("import mlflow" not in text and "from mlflow" not in text), path


def test_stages_are_thin() -> None:
    for path in ROOT.glob("stages/*.py"):
        assert len(path.read_text().splitlines()) == 6, f"{path} is no thin script any more"


def test_functions_fit_on_a_screen_and_files_in_the_head() -> None:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 300, f"{path}: more than one room?"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 40, f"{path}:{node.lineno} {node.name} is too long"
