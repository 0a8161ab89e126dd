"""The results of experiments, validated as they are read from disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from genpipe import paths
from genpipe.config.document import read
from genpipe.errors import ConfigError, GenpipeError
from genpipe.files import read_text

Number = Annotated[int, Field(ge=-(2**63), lt=2**63)] | Annotated[float, Field(allow_inf_nan=False)]
STAGES = ("prepare", "reference", "train", "sample", "evaluate")


class _Found(BaseModel):
    """JSON that a stage wrote; further fields are kept."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)


class Made(_Found):
    """How a score was computed. Two scores can be compared if their `protocol` is equal."""

    title: str
    meaning: str
    lower_is_better: bool | None
    real: Number | None = None
    interval: Annotated[tuple[Number, Number], Field(strict=False)] | None = None
    """The 95 % confidence interval of the score."""
    bias_estimate: Number | None = None
    """How much too large the score is because of few images."""
    feature_dimensions: int | None = None
    """The number of features per image."""
    warning: str | None = None
    """A sentence for the reader of the score."""

    @property
    def protocol(self) -> Mapping[str, Any]:
        """Extractor, counts, splits, seed and everything else that decides the score."""
        return self.model_extra or {}


class How(_Found):
    """How an experiment was run; its further fields are a `Made` for each score."""

    model: str
    data: str
    seed: int | None = None
    commit: str | None = None
    device: str | None = None
    versions: dict[str, str] = {}
    figures: dict[str, str] = {}


class Facts(_Found):
    """What a stage recorded besides its time."""

    images_per_sec: Number | None = None
    warnings: list[str] = []
    """Warnings about training curves, a model's output, or scores that are NaN."""


class Timing(_Found):
    """The run time of one stage for one experiment or data set."""

    wall_sec: Number
    facts: Facts = Facts()


@dataclass(frozen=True)
class Result:
    """One experiment of the index and, once it has run, its results."""

    name: str
    model: str
    data: str
    how: How | None
    values: Mapping[str, int | float]
    """All figures by name."""
    made: Mapping[str, Made]
    """How the scores among them were computed."""

    @property
    def state(self) -> str:
        """ "scored" or "not run yet"."""
        return "scored" if self.how else "not run yet"

    @property
    def further(self) -> dict[str, int | float]:
        """The figures other than scores, their spreads, and the size of the model."""
        own = {*self.made, *(f"{name}_std" for name in self.made), "parameters"}
        return {name: value for name, value in self.values.items() if name not in own}


def results(root: Path) -> list[Result]:
    """Every experiment of the index, in its order.

    Raises ConfigError if the index is wrong, GenpipeError if a file of scores is damaged.
    """
    document = read(root / paths.INDEX, str(paths.INDEX))
    index = document.value.get("experiments") if isinstance(document.value, dict) else None
    if not isinstance(index, dict):
        raise ConfigError([document.problem(("experiments",), "should be a mapping of names to {model: …, data: …}.")])
    for name, entry in index.items():
        if not isinstance(entry, dict) or not {"model", "data"} <= entry.keys():
            raise ConfigError([document.problem(("experiments", name), "should be {model: …, data: …}.")])
    return [_result(root, str(name), str(entry["model"]), str(entry["data"])) for name, entry in index.items()]


def timings(root: Path) -> dict[tuple[str, str], Timing]:
    """How long each stage took, by stage and key. Raises GenpipeError if a file is damaged."""
    found = {}
    for stage in STAGES:
        for file in sorted((root / paths.TIMINGS / stage).glob("*.json")):
            found[stage, file.stem] = parsed(Timing, _text(root, file.relative_to(root)), file.relative_to(root))
    return found


def damaged(file: Path, why: str) -> GenpipeError:
    """Returns the error to raise for a damaged file that a stage wrote."""
    return GenpipeError(f"{file} is damaged ({why}). Delete it and run `dvc repro`.")


Model = TypeVar("Model", bound=BaseModel)


def parsed(kind: type[Model], text: str, file: Path) -> Model:
    """Returns a JSON text validated by its schema. Raises GenpipeError naming the file."""
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise damaged(file, _reason(error)) from None


def _text(root: Path, file: Path) -> str:
    try:
        return read_text(root / file)
    except (OSError, UnicodeDecodeError) as error:
        raise damaged(file, str(error)) from None


class _Scores(BaseModel):
    """A file of scores: flat, name to number, and `how`."""

    model_config = ConfigDict(extra="allow", strict=True)
    __pydantic_extra__: dict[str, Number | None] = Field(init=False)
    how: How


def _result(root: Path, name: str, model: str, data: str) -> Result:
    file = paths.scores(name)
    if not (root / file).exists():
        return Result(name, model, data, None, {}, {})
    scores = parsed(_Scores, _text(root, file), file)
    values = {k: v for k, v in (scores.model_extra or {}).items() if v is not None}
    notes = scores.how.model_extra or {}
    made = {k: _made(notes[k], k, file) for k in values if k in notes}
    return Result(name, scores.how.model, scores.how.data, scores.how, values, made)


def _made(note: object, score: str, file: Path) -> Made:
    try:
        return Made.model_validate(note)
    except ValidationError as error:
        raise damaged(file, f"how.{score}: {_reason(error)}") from None


def _reason(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]
