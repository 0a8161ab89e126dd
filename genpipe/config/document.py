"""YAML as DVC reads it (version 1.2: `1e-4` is a number, `no` is a word), with the line of every key.

The C parser of PyYAML reads; only scalars, lists and mappings come out, so a file can't run code.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import yaml
from yaml.constructor import ConstructorError
from yaml.reader import ReaderError

from genpipe.errors import ConfigError, Problem, shortened
from genpipe.files import read_text, reason

KeyPath = tuple[str | int, ...]
"""Where a value stands: ("model", "latent_dim")."""

DEEPEST, LARGEST, LONGEST = 50, 100_000, 400
"""How deep values may be nested, how many there may be, each alias counted as what it stands for, and digits."""

_PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map")}
_Safe: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):
    """The YAML 1.2 core schema."""

    yaml_implicit_resolvers: ClassVar[dict] = {}

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node. Raises ConstructorError, which has its line, for `!!int x` and the like."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, TypeError):  # what PyYAML's own constructors let out
            kind = node.tag.rpartition(":")[2]
            raise ConstructorError(None, None, f"{node.value!r} is no {kind}", node.start_mark) from None


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
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: _integer(loader.construct_scalar(node), node))


@dataclass
class Document:
    """A YAML file: its values, and the line on which each of them stands."""

    file: str
    value: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def mapping(self, *path: str | int) -> dict[Any, Any]:
        """The mapping at a path; empty if there is none."""
        value = self.value
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value if isinstance(value, dict) else {}

    def line(self, path: KeyPath) -> int | None:
        """The line of the value at a path, or of the nearest thing around it that exists."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def problem(self, path: KeyPath, message: str) -> Problem:
        """What is wrong at a path of this file."""
        return Problem(self.file, self.line(path), ".".join(shortened(str(key)) for key in path), message)


def read(path: Path, shown_as: str | None = None) -> Document:
    """The document in a file. Raises ConfigError if it is missing, unreadable or no YAML."""
    shown = shown_as or str(path)
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise ConfigError([Problem(shown, None, "", "the file does not exist.")]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(shown, None, "", f"cannot be read: {reason(error)}.")]) from None
    return parse(text, shown)


def parse(text: str, file: str = "<text>") -> Document:
    """The document in a text. Raises ConfigError with the line of what is no YAML, or is there twice."""
    document = Document(file, None)
    try:
        _refuse_excess(text, file)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                _mark(node, (), document)
                document.value = loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError([_no_yaml(error, text, file)]) from None
    return document


def _refuse_excess(text: str, file: str) -> None:
    """Raises ConfigError if a text is nested so deep, or through aliases so large, that reading it would end badly.

    The events come one by one, so that this itself needs neither depth nor memory.
    """
    count, sizes = 0, dict[str | None, int]()
    around: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = around.pop()
            sizes[anchor] = count - before
        elif isinstance(event, yaml.NodeEvent):
            alias = isinstance(event, yaml.AliasEvent)
            count += sizes.get(event.anchor, 1) if alias else 1
            if isinstance(event, yaml.CollectionStartEvent):
                around.append((event.anchor, count))
            if alias and any(event.anchor == anchor for anchor, _ in around):
                raise _at(event, file, f"the alias *{event.anchor} stands inside of what it stands for.")
            if len(around) > DEEPEST or count > LARGEST:
                raise _at(event, file, f"at most {LARGEST:,} values are allowed, nested at most {DEEPEST} deep.")


def _at(event: Any, file: str, message: str) -> ConfigError:
    return ConfigError([Problem(file, event.start_mark.line + 1, "", message)])


def _no_yaml(error: Exception, text: str, file: str) -> Problem:
    """What the parser says, in one line, and where."""
    line, reason = None, " ".join(str(error).split())
    if isinstance(error, yaml.MarkedYAMLError):
        mark, reason = error.problem_mark or error.context_mark, error.problem or error.context or reason
        line = mark.line + 1 if mark else None
    elif isinstance(error, ReaderError):
        line = text.encode("utf-8", "replace").count(b"\n", 0, error.position) + 1
        reason = f"the character U+{error.character:04X} is not allowed"
    return Problem(file, line, "", f"not valid YAML: {shortened(reason)}.")


def _mark(node: yaml.Node, path: KeyPath, document: Document) -> None:
    """Notes the line of a node and of all that is in it."""
    document.lines.setdefault(path, node.start_mark.line + 1)
    if node.tag not in _PLAIN:
        raise ConfigError([document.problem(path, f"the tag {shortened(node.tag)} is not allowed; remove it.")])
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _mark_key(key, path, document)
            _mark(value, (*path, key.value), document)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _mark(value, (*path, index), document)


def _mark_key(key: yaml.Node, path: KeyPath, document: Document) -> None:
    line = key.start_mark.line + 1
    if not isinstance(key, yaml.ScalarNode) or key.tag not in _PLAIN:
        raise ConfigError([Problem(document.file, line, "", "a key must be a single word.")])
    if (*path, key.value) in document.lines:
        first = document.lines[*path, key.value]
        raise ConfigError(
            [Problem(document.file, line, shortened(key.value), f"the key is already on line {first}; keep one.")]
        )
    document.lines[*path, key.value] = line


def _integer(text: str, node: yaml.Node) -> int:
    """A YAML 1.2 integer: leading zeros are decimal, 0o is octal, 0x is hexadecimal.

    Raises ConstructorError if it is longer than any number that means something, and than Python writes out.
    """
    if len(text) > LONGEST:
        told = f"a whole number has at most {LONGEST} digits, and {len(text):,} are given"
        raise ConstructorError(None, None, told, node.start_mark)
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    return sign * int(digits, {"0o": 8, "0x": 16}.get(digits[:2], 10))
