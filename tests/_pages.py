"""What the documentation shows: its pages and their fenced blocks, each with its place."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAVED = re.compile(
    r"[Ss]ave (?:it|this one) as\s+"
    r"`(genpipe/[a-z]+/\w+\.(?:py|yaml))`[^`]*(?:`[^`\n]+`[^`]*)*?```\w+\n(.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
"""A file that is to be saved, and the block that follows."""


WHOLE = ('"""', "#")
"""How a block begins that is a whole file."""


class Block(NamedTuple):
    """A fenced block, and the line of its page at which its body begins."""

    page: str
    line: int
    body: str


class Piece(NamedTuple):
    """A command of a page."""

    page: str
    line: int
    shown: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.command}"

    @property
    def command(self) -> str:
        """The command without its comment."""
        return shlex.join(shlex.split(self.shown, comments=True))


def blocks(language: str) -> Iterator[Block]:
    """The fenced blocks of a language."""
    for page in PAGES:
        text = page.read_text()
        for found in FENCE.finditer(text):
            if found[1] == language:
                yield Block(str(page.relative_to(ROOT)), text.count("\n", 0, found.start(2)) + 1, found[2])


def snippets(page: str) -> list[Block]:
    """The Python of a page that is no whole file."""
    return [block for block in blocks("python") if block.page == page and not block.body.startswith(WHOLE)]


def commands(block: Block) -> list[Piece]:
    """The commands of a shell block."""
    return [Piece(block.page, block.line + n, line) for n, line in enumerate(block.body.splitlines()) if line]


def files() -> dict[str, str]:
    """The whole files that the pages tell to save."""
    return {path: body for page in PAGES for path, body in SAVED.findall(page.read_text())}
