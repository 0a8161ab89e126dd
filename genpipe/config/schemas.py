"""What YAML files say, but for the knobs of parts, which stand beside the parts."""

from functools import cache
from typing import Any

from pydantic import Field, create_model, field_validator

from genpipe.config.training import Optim, Train
from genpipe.interfaces.sampling import SamplingConfig
from genpipe.schema import Strict


class Evaluate(Strict):
    """Which scores."""

    metrics: dict[str, dict[str, Any]]


class Knobs(Strict):
    """A pipeline file; `model`, `evaluate.metrics` and `analyses` have schemas beside what they configure."""

    seed: int = Field(ge=0, lt=2**32)
    model: dict[str, Any]
    optim: dict[str, Optim]
    train: Train
    sample: SamplingConfig
    evaluate: Evaluate
    analyses: dict[str, dict[str, Any]]


@cache
def knobs_of(model_class: Any) -> type[Knobs]:
    """Returns the schema of a pipeline file of a model: its own options stand under `sample`."""
    sample: Any = (model_class.Sampling, ...)
    return create_model("Knobs", __base__=Knobs, sample=sample)


class Entry(Strict):
    """One experiment's line in the index."""

    model: str
    data: str


class Reference(Strict):
    """What scores look through; made once for each data set."""

    extractors: dict[str, dict[str, Any]] = Field(min_length=1)
    optim: dict[str, Optim]
    train: Train

    @field_validator("train")
    @classmethod
    def _on_one_device(cls, train: Train) -> Train:
        if (train.devices, train.nodes) != (1, 1):
            raise ValueError("extractors are trained on one device; leave out `devices` and `nodes`")
        return train


class Index(Strict):
    """params.yaml."""

    package: str | None = None  # a person's own, with open folders as genpipe has them
    seed: int = Field(ge=0, lt=2**32)
    datasets: dict[str, dict[str, Any]]
    reference: Reference
    experiments: dict[str, Entry]
