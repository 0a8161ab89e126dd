"""Changes of one entry of a YAML text: every other byte, with comments and spacing, stays as it was.

A round trip through a YAML library keeps comments but lays out anew what a person has laid out; an index that many
people edit deserves a change of one line. What comes out is parsed again and compared with what was meant.
"""

import json
import re
from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any

import yaml

from genpipe.config.document import KeyPath, parse
from genpipe.errors import ConfigError, GenpipeError, Problem

_NOTHING_OR_COMMENT = re.compile(r"[ \t]*(?:[ \t]#.*)?")
_REST_OF_LINE = re.compile(r"[^\r\n]*")
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def put(text: str, path: KeyPath, value: str) -> str:
    """Returns the text with a value, given as YAML, at a path; the last keys of the path may be new.

    Raises ConfigError if the value is no YAML, GenpipeError if the text is too knotted to be changed at one place.
    """
    meant = parse(value, f"the value of {'.'.join(map(str, path))}").value
    present = parse(text).value
    known = _known(present, path)
    new = path[known:]
    inner = reduce(lambda below, key: {key: below}, reversed(new), meant)
    wanted = _at(present, path[:known], lambda there: {**there, path[known - 1]: inner})
    tries = (_nested(new, value.strip() or "null"), _nested(new, json.dumps(meant, default=str)))
    return _proven(wanted, (_edit(text, path[:known], written) for written in tries), path, f"set to {value.strip()}")


def take(text: str, path: KeyPath) -> str:
    """Returns the text without the entry at a path, which must exist; comments on its lines go with it.

    Raises GenpipeError if the text is too knotted to be changed at one place.
    """
    wanted = _at(parse(text).value, path, lambda there: {k: v for k, v in there.items() if k != path[-1]})
    return _proven(wanted, [_taken(text, path)], path, "taken out")


def rename(text: str, path: KeyPath, name: str) -> str:
    """Returns the text with the last key of an existing path renamed, at the same place.

    Raises GenpipeError if the text is too knotted to be changed at one place.
    """
    wanted = _at(parse(text).value, path, lambda there: {name if k == path[-1] else k: v for k, v in there.items()})
    key, _ = _entry(_node(text, path[:-1]), path[-1])
    start, end = key.start_mark.index, key.end_mark.index
    return _proven(wanted, [text[:start] + word(name) + text[end:]], path, f"renamed to {name}")


def items(text: str, what: str) -> list[str]:
    """Returns the values between the commas of a text, as they are written. Raises ConfigError if it is no YAML."""
    listed = f"[{text}]"
    if not isinstance(parse(listed, what).value, list):
        raise ConfigError([Problem(what, None, "", "not valid YAML: values with commas between them are needed.")])
    return [listed[n.start_mark.index : n.end_mark.index] for n in _root(listed).value]


def source(text: str, path: KeyPath) -> str:
    """Returns the value at a path as it is written in the text."""
    node = _node(text, path)
    return text[node.start_mark.index : _end(node)]


def whole_lines(text: str, path: KeyPath) -> str:
    """Returns the value at a path as it is written in the text, with the rest of its last line."""
    node = _node(text, path)
    return text[node.start_mark.index : _line_end(text, _end(node))]


def whole_entry(text: str, key: str) -> str:
    """Returns a key at the top and its value as they are written in the text, with the rest of the last line."""
    name, value = _entry(_root(text), key)
    return text[name.start_mark.index : _line_end(text, _end(value))]


def _known(value: Any, path: KeyPath) -> int:
    """How many keys of a path lead to where an entry is put: all that are there, and one more if there is one."""
    known = 1
    while known < len(path) and isinstance(value, dict) and path[known - 1] in value:
        value, known = value[path[known - 1]], known + 1
    return known


def _nested(keys: KeyPath, value: str) -> str:
    """A value in YAML inside of mappings, one in another: {degree: 2}."""
    return "".join(f"{{{word(str(key))}: " for key in keys) + value + "}" * len(keys)


def _proven(wanted: Any, edited: Iterable[str], path: KeyPath, done: str) -> str:
    """The first text that reads as wanted, in order and type. Raises GenpipeError if none does."""
    for text in edited:
        if _reads(text) == repr(wanted):
            return text
    raise GenpipeError(
        f"{'.'.join(map(str, path))} cannot be {done} without changing something else, "
        "perhaps because of an anchor or an unusual layout. Edit the file by hand."
    )


def _edit(text: str, path: KeyPath, value: str) -> str:
    node = _node(text, path[:-1])
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
    if not _NOTHING_OR_COMMENT.fullmatch(text, end, place):
        return f"{text[:start]}{{{item}}}{text[end:]}"
    return text[:start].rstrip(" ") + text[end:place] + newline + "  " * depth + item + text[place:]


def _taken(text: str, path: KeyPath) -> str:
    """The text without an entry: without its lines where its mapping has lines, else without it and a comma."""
    node = _node(text, path[:-1])
    at = next(i for i, (key, _) in enumerate(node.value) if key.value == path[-1])
    key, value = node.value[at]
    if node.flow_style:
        if at + 1 < len(node.value):
            return text[: key.start_mark.index] + text[node.value[at + 1][0].start_mark.index :]
        before = _end(node.value[at - 1][1]) if at else node.start_mark.index + 1
        return text[:before] + text[_end(value) :]
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    end = _line_end(text, max(_end(value), key.end_mark.index))
    rest = text[:start] + text[end:].removeprefix("\r").removeprefix("\n")
    return rest if len(node.value) > 1 else _with_empty(rest, text, path[:-1])


def _with_empty(rest: str, text: str, path: KeyPath) -> str:
    """The rest of a text, with {} behind the key whose mapping has just lost its last line."""
    owner, _ = _entry(_node(text, path[:-1]), path[-1])
    place = text.index(":", owner.end_mark.index) + 1
    return f"{rest[:place]} {{}}{rest[place:]}"


def _line_end(text: str, index: int) -> int:
    found = _REST_OF_LINE.match(text, index)
    assert found
    return found.end()


def word(text: str) -> str:
    """Returns a text as YAML that is read as the same text: `vae`, but `"1"`."""
    return text if parse(text).value == text else json.dumps(text)


def _root(text: str) -> Any:
    return yaml.compose(text, Loader=_Loader)


def _node(text: str, path: KeyPath) -> Any:
    node: Any = _root(text)
    for key in path:
        node = _child(node, key)
    return node


def _child(node: Any, key: object) -> Any:
    return next((v for k, v in getattr(node, "value", ()) if k.value == key), None)


def _entry(node: Any, key: object) -> tuple[yaml.Node, yaml.Node]:
    return next((k, v) for k, v in node.value if k.value == key)


def _end(node: yaml.Node) -> int:
    """Where the last character of a node's text stands; blank lines and comments behind it don't count."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, yaml.MappingNode) else last)
    return node.end_mark.index


def _at(value: Any, path: KeyPath, change: Callable[[Any], Any]) -> Any:
    """A value with the mapping that holds the last key of a path changed."""
    if len(path) == 1:
        return change(value)
    return {**value, path[0]: _at(value[path[0]], path[1:], change)}


def _reads(text: str) -> str | None:
    try:
        return repr(parse(text).value)
    except GenpipeError:
        return None
