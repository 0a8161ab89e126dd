"""YAML of an older genpipe in the words of this one."""

from collections.abc import Iterator
from typing import Any

from genpipe.config.document import KeyPath, parse
from genpipe.config.renamed import new_key, new_value
from genpipe.project.editing import put, rename


def modernized(text: str) -> str:
    """The text of an index or a pipeline with every old key and value by its new name, and otherwise as it was.

    Raises ConfigError if it is no YAML, GenpipeError if it is too knotted to be changed at one place.
    """
    while found := next(_old(parse(text).value), None):
        path, key, value = found
        text = rename(text, path, key) if key else put(text, path, value)
    return text


def _old(value: Any, before: KeyPath = ()) -> Iterator[tuple[KeyPath, str, str]]:
    """Old keys and old values, the inner ones first, each with its place and the new word."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        path = (*before, key)
        yield from _old(inner, path)
        if new := new_key(path):
            if new not in value:
                yield path, new, ""
        elif isinstance(inner, str) and (word := new_value(path, inner)):
            yield path, "", word
