"""Values of a document held to their schemas, and what is wrong with them in the words of whoever wrote the file."""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from genpipe.config.document import Document, KeyPath
from genpipe.config.renamed import new_key, new_value
from genpipe.errors import ConfigError, Problem, nearest, shortened
from genpipe.files import read_json
from genpipe.schema import Strict

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
RULE = "use 1 to 80 letters, digits, '_', '-' or '.', beginning with a letter or digit, but not with 'real-'"


DATA_RULE = RULE.replace("'_', '-' or '.'", "'_' or '-'")
"""To DVC a dot in the name of a data set would stand between two keys."""


def data_name_allowed(name: str) -> bool:
    """Whether a data set may be called this."""
    return name_allowed(name) and "." not in name


def name_allowed(name: str) -> bool:
    """Whether a data set or an experiment may be called this; `real-` is kept for the scores of real images."""
    return bool(NAME.fullmatch(name)) and not name.startswith("real-")


def examined(schema: type[Strict], value: Any, at: KeyPath, document: Document) -> tuple[Any, list[Problem]]:
    """A value in its schema or None, and everything that is wrong with it."""
    try:
        return schema.model_validate(value), []
    except ValidationError as error:
        return None, [_explained(schema, details, at, document) for details in error.errors()]


def validated(schema: type[Strict], value: Any, at: KeyPath, document: Document) -> Any:
    """A value of a document in its schema. Raises ConfigError with everything that is wrong with it."""
    result, problems = examined(schema, value, at, document)
    if problems:
        raise ConfigError(problems)
    return result


def described(schema: type[Strict], path: Path) -> tuple[Any, Document]:
    """What a JSON file says, in its schema, and the document in which to explain what else is wrong with it.

    Raises ConfigError with everything that is wrong, FileNotFoundError if there is no file.
    """
    try:
        document = Document(str(path), read_json(path))
    except (ValueError, RecursionError) as error:
        raise ConfigError([Problem(str(path), None, "", f"no JSON ({error}).")]) from None
    return validated(schema, document.value, (), document), document


def _explained(schema: type[Strict], details: ErrorDetails, at: KeyPath, document: Document) -> Problem:
    """A pydantic error in the words of the person who wrote the file."""
    path = (*at, *details["loc"])
    match details["type"]:
        case "extra_forbidden" if new := new_key(path):
            return document.problem(path, f"`{path[-1]}` is now `{new}`.")
        case "extra_forbidden":
            return document.problem(path, f"unknown key.{nearest(str(path[-1]), _fields(schema, details['loc'][:-1]))}")
        case "missing":
            return document.problem(path, "the key is missing.")
        case "invalid_key":
            return document.problem(path, "a key here must be a word; put it into quotes.")
        case "value_error":  # of a schema's own rule, which says all there is to say
            return document.problem(path, f"{shortened(str(details['ctx']['error']), 500)}.")
        case "literal_error" if new := new_value(path, details["input"]):
            return document.problem(path, f"`{details['input']}` is now `{new}`.")
        case "string_type" if path[-1] == "[key]":
            return document.problem(path[:-1], "a key here must be a word; put it into quotes.")
        case _:
            given = shortened(json.dumps(details["input"], default=str, ensure_ascii=False))
            meant = re.sub(r" or instance of \w+", "", details["msg"]).removeprefix("Input ")
            return document.problem(path, f"{meant}, but {given} is given.")


def _fields(schema: Any, loc: tuple[str | int, ...]) -> list[str]:
    """The keys that are allowed at a place of a schema."""
    for part in loc:
        annotation = schema.model_fields[part].annotation if part in getattr(schema, "model_fields", {}) else None
        inner = [a for a in getattr(annotation, "__args__", ()) if hasattr(a, "model_fields")]
        schema = annotation if hasattr(annotation, "model_fields") else inner[0] if inner else schema
    return list(getattr(schema, "model_fields", {}))
