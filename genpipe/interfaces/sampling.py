"""How images are drawn from a finished model: knobs that need no other training."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from pydantic import ValidationError

from genpipe.errors import UsageError
from genpipe.schema import Images, Strict


class SamplingConfig(Strict):
    """The knobs of `sample`: how many images are drawn for the scores, and a model's own options."""

    images: Images = 10000
    batch_size: Images = 500

    @classmethod
    def options(cls) -> list[str]:
        """Returns the names of a model's own options."""
        return [name for name in cls.model_fields if name not in SamplingConfig.model_fields]


def changed(sampling: SamplingConfig, options: Mapping[str, Any]) -> SamplingConfig:
    """Returns the knobs with other values of some options. Raises UsageError for other options, or wrong values."""
    known = sampling.options()
    if unknown := [name for name in options if name not in known]:
        raise UsageError(f"`{unknown[0]}` is no option of sampling; the model has {', '.join(known) or 'none'}.")
    try:
        return type(sampling)(**{**sampling.model_dump(), **options})
    except ValidationError as error:
        wrong = error.errors()[0]
        raise UsageError(f"`{'.'.join(map(str, wrong['loc']))}` is {wrong['input']!r}: {wrong['msg']}.") from None


class Sampled:
    """Has options of sampling."""

    Sampling: ClassVar[type[SamplingConfig]] = SamplingConfig
    """The knobs of `sample`, with the model's own options."""
    sampling: SamplingConfig
    """The options with which it draws samples now."""


@contextmanager
def sampling_with(model: Sampled, **options: Any) -> Iterator[None]:
    """Changes a model's options for what is drawn inside. Raises UsageError for others, or wrong values."""
    before = model.sampling
    model.sampling = changed(before, options)
    try:
        yield
    finally:
        model.sampling = before
