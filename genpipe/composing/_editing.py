"""One value of a YAML text changed in place: every other byte, comments and spacing included, stays as it was.

A round trip through a YAML library keeps comments but lays out anew what a person has laid out; an index that many
people edit deserves a change of one line. What comes out is parsed again and compared with what was meant.
"""

import json
import re
from typing import Any

import yaml

from genpipe.document import KeyPath, parse
from genpipe.errors import GenpipeError

_REST_OF_LINE = re.compile(r"[^\r\n]*")
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def put(text: str, path: KeyPath, value: str) -> str:
    """The text with a value, given as YAML, at a path; the last key of the path may be new, the others must exist.

    Raises ConfigError if the value is no YAML, GenpipeError if the text is too knotted to be changed at one place.
    """
    meant = parse(value, f"the value of {'.'.join(map(str, path))}").value
    wanted = repr(_with(parse(text).value, path, meant))
    for written in (value.strip() or "null", json.dumps(meant, default=str)):
        edited = _edit(text, path, written)
        if _reads(edited) == wanted:
            return edited
    raise GenpipeError(
        f"{'.'.join(map(str, path))} cannot be set to {value.strip()} without changing something else, "
        "perhaps because of an anchor or an unusual layout. Edit the file by hand."
    )


def source(text: str, path: KeyPath) -> str:
    """The value at a path as it is written in the text."""
    node: Any = _root(text)
    for key in path:
        node = _child(node, key)
    return text[node.start_mark.index : _end(node)]


def _edit(text: str, path: KeyPath, value: str) -> str:
    node: Any = _root(text)
    for key in path[:-1]:
        node = _child(node, key)
    present = _child(node, path[-1])
    return _inserted(text, node, len(path) - 1, path[-1], value) if present is None else _replaced(text, present, value)


def _replaced(text: str, node: yaml.Node, value: str) -> str:
    """The text with a node's span replaced; a comment behind it keeps its column if there is room."""
    start, end = node.start_mark.index, _end(node)
    padding = " " if start == end else ""
    gap = re.compile(r" +(?=#)").match(text, end)
    if not gap:
        return text[:start] + padding + value + text[end:]
    room = gap.end() - start - len(padding + value)
    return text[:start] + padding + value + " " * max(room, 1) + text[gap.end() :]


def _inserted(text: str, node: yaml.MappingNode, depth: int, key: object, value: str) -> str:
    """The text with a new last entry in a mapping: a line of its own where the mapping has lines."""
    item = f"{word(str(key))}: {value}"
    newline = "\r\n" if "\r\n" in text else "\n"
    if node.value and node.flow_style:
        closing = node.end_mark.index - 1
        return f"{text[:closing]}, {item}{text[closing:]}"
    if node.value:
        place = _line_end(text, _end(node))
        return text[:place] + newline + " " * node.value[0][0].start_mark.column + item + text[place:]
    start, end = node.start_mark.index, node.end_mark.index
    place = _line_end(text, end)
    return text[:start].rstrip(" ") + text[end:place] + newline + "  " * depth + item + text[place:]


def _line_end(text: str, index: int) -> int:
    found = _REST_OF_LINE.match(text, index)
    assert found
    return found.end()


def word(text: str) -> str:
    """A text as YAML that is read as the same text: `vae`, but `"1"`."""
    return text if parse(text).value == text else json.dumps(text)


def _root(text: str) -> Any:
    return yaml.compose(text, Loader=_Loader)


def _child(node: Any, key: object) -> Any:
    return next((v for k, v in getattr(node, "value", ()) if k.value == key), None)


def _end(node: yaml.Node) -> int:
    """Where the last character of a node's text stands; blank lines and comments behind it don't count."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, yaml.MappingNode) else last)
    return node.end_mark.index


def _with(value: Any, path: KeyPath, meant: Any) -> Any:
    if not path:
        return meant
    return {**value, path[0]: _with(value[path[0]] if len(path) > 1 else None, path[1:], meant)}


def _reads(text: str) -> str | None:
    try:
        return repr(parse(text).value)
    except GenpipeError:
        return None
