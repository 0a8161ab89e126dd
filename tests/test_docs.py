"""What the documentation says is held to the code, so that it cannot fall behind."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from genpipe import config, document
from genpipe.schema import Strict
from genpipe.training import knobs

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
SCHEMAS: dict[str, type[Strict]] = {
    "`params.yaml`": config.Index,
    "`datasets.NAME`": config.Dataset,
    "`reference`": config.Reference,
    "`experiments.NAME`": config.Entry,
    "`pipelines/NAME.yaml`": config.Knobs,
    "`optim.PHASE`": knobs.Optim,
    "`train`": knobs.Train,
    "`sample`": config.Sample,
    "`evaluate`": config.Evaluate,
}
"""The schema under each heading of docs/experiments.md; what is in open folders documents itself."""


def fences(language: str) -> Iterator[tuple[Path, str]]:
    """The fenced blocks of a language, with the page of each."""
    return ((page, body) for page in PAGES for name, body in FENCE.findall(page.read_text()) if name == language)


def commands() -> list[str]:
    """Every line of a shell block that calls genpipe."""
    return [line for _, body in fences("sh") for line in body.splitlines() if line.startswith("genpipe ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = LINK.findall(FENCE.sub("", page.read_text()))
    missing = [link for link in links if "://" not in link and not (page.parent / link.partition("#")[0]).exists()]
    assert missing == []


def test_yaml_is_what_it_says() -> None:
    blocks = list(fences("yaml"))
    assert blocks
    for page, body in blocks:
        assert document.parse(body, page.name).value, f"{page.name} shows an empty block of YAML"


def test_python_is_python() -> None:
    for page, body in fences("python"):
        compile(body, page.name, "exec")


@pytest.mark.parametrize("line", commands())
def test_commands_and_their_options_exist(line: str) -> None:
    from genpipe.cli.app import app

    group = typer.main.get_command(app)
    _, name, *arguments = shlex.split(line, comments=True)
    assert name in group.commands, f"genpipe has no command {name}"  # type: ignore[attr-defined]
    if "--help" not in arguments:
        group.commands[name].make_context(name, arguments)  # type: ignore[attr-defined] # refuses unknown options


@pytest.mark.parametrize("heading", SCHEMAS)
def test_every_knob_is_explained_with_its_default(heading: str) -> None:
    sections = re.split(r"^#+ ", (ROOT / "docs/experiments.md").read_text(), flags=re.MULTILINE)
    body = next((s for s in sections if s.startswith(f"{heading}\n")), None)
    assert body is not None, f"docs/experiments.md has no section {heading}"
    told = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*?) \|", body, re.MULTILINE))
    fields = SCHEMAS[heading].model_fields.items()
    assert told == {name: "required" if field.is_required() else f"`{_shown(field.default)}`" for name, field in fields}


def _shown(default: object) -> str:
    return default if isinstance(default, str) else json.dumps(default)
