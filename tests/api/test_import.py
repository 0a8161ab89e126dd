"""What `import genpipe` costs and gives."""

import json
import subprocess
import sys
import tomllib

import pytest

import genpipe
from tests.conftest import ROOT

PROMISED = [*genpipe.__all__, "open"]


def told(code: str) -> object:
    """What a fresh process prints as JSON."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_import_is_quick_because_it_imports_nothing_heavy() -> None:
    code = (
        "import json, sys; before = set(sys.modules); import genpipe; print(json.dumps(list({*sys.modules} - before)))"
    )
    new = set(told(code))  # type: ignore[call-overload]
    assert "genpipe" in new
    assert {name.partition(".")[0] for name in new} <= {"genpipe", *sys.stdlib_module_names}
    assert not {name for name in new if name.startswith("genpipe.")}


def test_star_import_gives_all_that_is_promised_and_leaves_pythons_open() -> None:
    code = "import json; from genpipe import *; print(json.dumps([open.__module__, sorted(globals())]))"
    module, names = told(code)  # type: ignore[misc]
    assert module == "_io"
    assert set(genpipe.__all__) <= set(names)


@pytest.mark.parametrize("name", PROMISED)
def test_what_is_promised_is_there_and_says_what_it_is(name: str) -> None:
    assert name in dir(genpipe)
    assert getattr(genpipe, name).__name__ == name
    assert getattr(genpipe, name).__doc__
    assert getattr(genpipe, name).__module__.startswith("genpipe.api.")


def test_what_is_not_there_is_said_as_python_says_it() -> None:
    with pytest.raises(AttributeError, match="module 'genpipe' has no attribute 'opne'"):
        genpipe.opne  # noqa: B018


def test_types_come_with_the_package() -> None:
    assert (ROOT / "genpipe" / "py.typed").exists()
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "py.typed" in settings["tool"]["setuptools"]["package-data"]["genpipe"]
