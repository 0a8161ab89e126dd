"""YAML as DVC reads it (version 1.2: `1e-4` is a number, `no` is a word), with the line of every key.

The C parser of PyYAML reads; only scalars, lists and mappings come out, so a file can't run code.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import yaml

from genpipe.errors import ConfigError, Problem

KeyPath = tuple[str | int, ...]
"""Where a value stands: ("model", "latent_dim")."""

_Safe: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):
    """The YAML 1.2 core schema."""

    yaml_implicit_resolvers: ClassVar[dict] = {}


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: _integer(node.value))


@dataclass
class Document:
    """A YAML file: its values, and the line on which each of them stands."""

    file: str
    value: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def line(self, path: KeyPath) -> int | None:
        """The line of the value at a path, or of the nearest thing around it that exists."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def problem(self, path: KeyPath, message: str) -> Problem:
        """What is wrong at a path of this file."""
        return Problem(self.file, self.line(path), ".".join(map(str, path)), message)


def read(path: Path, shown_as: str | None = None) -> Document:
    """The document in a file. Raises ConfigError if it is missing, unreadable or no YAML."""
    shown = shown_as or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError([Problem(shown, None, "", "the file does not exist.")]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(shown, None, "", f"cannot be read: {error}.")]) from None
    return parse(text, shown)


def parse(text: str, file: str = "<text>") -> Document:
    """The document in a text. Raises ConfigError with the line of what is no YAML, or is there twice."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        document = Document(file, None)
        if node is not None:
            _mark(node, (), document)
            document.value = loader.construct_document(node)
        return document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise ConfigError([Problem(file, line, "", f"not valid YAML: {error.problem}.")]) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError([Problem(file, None, "", f"not valid YAML: {error}.")]) from None
    finally:
        loader.dispose()


def _mark(node: yaml.Node, path: KeyPath, document: Document) -> None:
    """Notes the line of a node and of all that is in it."""
    document.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _mark_key(key, path, document)
            _mark(value, (*path, key.value), document)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _mark(value, (*path, index), document)


def _mark_key(key: yaml.Node, path: KeyPath, document: Document) -> None:
    line = key.start_mark.line + 1
    if not isinstance(key, yaml.ScalarNode):
        raise ConfigError([Problem(document.file, line, "", "a key must be a single word.")])
    if (*path, key.value) in document.lines:
        first = document.lines[*path, key.value]
        raise ConfigError([Problem(document.file, line, key.value, f"the key is already on line {first}; keep one.")])
    document.lines[*path, key.value] = line


def _integer(text: str) -> int:
    """A YAML 1.2 integer: leading zeros are decimal, 0o is octal, 0x is hexadecimal."""
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    return sign * int(digits, {"0o": 8, "0x": 16}.get(digits[:2], 10))
