"""The base of everything that comes from YAML, and what is wrong with a value in the words of who wrote it."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from genpipe.document import Document, KeyPath
from genpipe.errors import ConfigError, Problem, nearest


class Strict(BaseModel):
    """Immutable, complete and free of surprises: an unknown key, a wrong type or a NaN is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


def checked(schema: type[Strict], value: Any, at: KeyPath, document: Document) -> tuple[Any, list[Problem]]:
    """A value in its schema or None, and everything that is wrong with it."""
    try:
        return schema.model_validate(value), []
    except ValidationError as error:
        return None, [_explained(schema, details, at, document) for details in error.errors()]


def validated(schema: type[Strict], value: Any, at: KeyPath, document: Document) -> Any:
    """A value of a document in its schema. Raises ConfigError with everything that is wrong with it."""
    result, problems = checked(schema, value, at, document)
    if problems:
        raise ConfigError(problems)
    return result


def _explained(schema: type[Strict], details: ErrorDetails, at: KeyPath, document: Document) -> Problem:
    """A pydantic error in the words of the person who wrote the file."""
    path = (*at, *details["loc"])
    match details["type"]:
        case "extra_forbidden":
            return document.problem(path, f"unknown key.{nearest(str(path[-1]), _fields(schema, details['loc'][:-1]))}")
        case "missing":
            return document.problem(path, "the key is missing.")
        case _:
            given = json.dumps(details["input"], default=str)
            return document.problem(path, f"{details['msg'].removeprefix('Input ')}, but {given} is given.")


def _fields(schema: Any, loc: tuple[str | int, ...]) -> list[str]:
    """The keys that are allowed at a place of a schema."""
    for part in loc:
        annotation = schema.model_fields[part].annotation if part in getattr(schema, "model_fields", {}) else None
        inner = [a for a in getattr(annotation, "__args__", ()) if hasattr(a, "model_fields")]
        schema = annotation if hasattr(annotation, "model_fields") else inner[0] if inner else schema
    return list(getattr(schema, "model_fields", {}))
