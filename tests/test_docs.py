"""What the documentation says is held to the code, so that it cannot fall behind."""

import csv
import json
import re
import shlex
from pathlib import Path

import pytest
import typer

from genpipe.config import datasets, document, schemas, training
from genpipe.config.project import load_project
from genpipe.interfaces import sampling
from genpipe.schema import Strict
from tests._pages import FENCE, PAGES, ROOT, Piece, blocks, commands

LINK = re.compile(r"\]\(([^)\s]+)\)")
SCHEMAS: dict[str, type[Strict]] = {
    "`params.yaml`": schemas.Index,
    "`datasets.NAME`": datasets.Dataset,
    "`reference`": schemas.Reference,
    "`experiments.NAME`": schemas.Entry,
    "`pipelines/NAME.yaml`": schemas.Knobs,
    "`optim.PHASE`": training.Optim,
    "`train`": training.Train,
    "`sample`": sampling.SamplingConfig,
    "`evaluate`": schemas.Evaluate,
}
"""The schema under each heading of docs/experiments.md; what is in open folders documents itself."""


COMMANDS = [piece for block in blocks("sh") for piece in commands(block)]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = LINK.findall(FENCE.sub("", page.read_text()))
    missing = [link for link in links if "://" not in link and not (page.parent / link.partition("#")[0]).exists()]
    assert missing == []


def test_yaml_is_what_it_says() -> None:
    found = list(blocks("yaml"))
    assert found
    for block in found:
        assert document.parse(block.body, block.page).value, f"{block.page}:{block.line}: an empty block of YAML"


def test_python_is_python() -> None:
    for block in blocks("python"):
        compile("\n" * (block.line - 1) + block.body, block.page, "exec")


@pytest.mark.parametrize("piece", [p for p in COMMANDS if p.command.startswith("genpipe ")], ids=str)
def test_commands_and_their_options_exist(piece: Piece) -> None:
    from genpipe.cli.app import app

    group = typer.main.get_command(app)
    _, name, *arguments = shlex.split(piece.command)
    assert name in group.commands, f"{piece}: genpipe has no command {name}"  # type: ignore[attr-defined]
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


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_figures_of_the_default_experiments_are_those_of_the_report(page: str) -> None:
    text = (ROOT / page).read_text()
    with (ROOT / "reports/leaderboard.csv").open() as file:
        rows = {row["experiment"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {"real-held-out", *load_project(ROOT).index.experiments}
    for name, row in rows.items():
        shown = re.escape(name.replace("real-held-out", "*held-out real images*"))
        found = re.search(rf"^\| {shown}[^|]*\| ([\d.,]+) \| ([\d.,]+) \|", text, re.MULTILINE)
        assert found, f"{page} has no row of {name}"
        assert found.groups() == (f"{float(row['fid_classifier']):,.1f}", f"{float(row['is_classifier']):,.2f}"), name
