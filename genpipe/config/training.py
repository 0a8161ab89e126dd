"""The knobs of a training: `optim` and `train` of an experiment, and of `reference`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from genpipe.schema import Count, Images, Strict

Strategy = Literal["auto", "ddp", "fsdp"]
LEFT_OUT = frozenset(
    ("grad_accumulation_steps", "tf32", "deterministic", "compile", "devices", "nodes", "strategy", "sync_batchnorm")
) | {"decay_at_steps", "decay_factor", "momentum", "alpha"}
"""Recipes do not write these: they suit a machine rather than an experiment, or belong to one schedule or algorithm."""


def _devices(value: int | str) -> int | str:
    if value == "auto" or (isinstance(value, int) and value >= 1):
        return value
    raise ValueError(f"should be 'auto' or a whole number from 1, but {value!r} is given")


class Optim(Strict):
    """How the weights of one phase move."""

    algorithm: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    lr: float = Field(default=1e-3, gt=0)
    betas: Annotated[tuple[float, float], Field(strict=False)] = (0.9, 0.999)
    """Of adam and adamw."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Of sgd."""
    alpha: float = Field(default=0.999, ge=0, lt=1)
    """Of rmsprop: how much of the average of squared gradients stays at each step."""
    weight_decay: float = Field(default=0.0, ge=0)
    grad_clip_norm: float | None = Field(default=None, gt=0)
    """Gradients longer than this are scaled down to it."""
    schedule: Literal["constant", "linear", "cosine", "step"] = "constant"
    """How lr goes on after the warm-up: linear and cosine end at 0 with the training, step falls at decay_at_steps."""
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """lr rises in a straight line over the first so many steps."""
    decay_at_steps: list[Count] = []
    """After each of these steps the schedule `step` multiplies lr by decay_factor."""
    decay_factor: float = Field(default=0.1, gt=0, le=1)

    @model_validator(mode="after")
    def _has_its_own_decay(self) -> "Optim":
        own = {"sgd": "momentum", "rmsprop": "alpha"}.get(self.algorithm)
        given = self.betas != Optim.model_fields["betas"].default
        if own and given and own not in self.model_fields_set:
            raise ValueError(f"{self.algorithm} takes `{own}` where adam takes `betas`; say which it is to be")
        return self

    @model_validator(mode="after")
    def _falls_somewhere(self) -> "Optim":
        if (self.schedule == "step") != bool(self.decay_at_steps):
            raise ValueError("`schedule: step` and `decay_at_steps` need each other; give both or neither of them")
        return self


class Train(Strict):
    """How long, on how much at a time, and how closely watched."""

    steps: Annotated[int, Field(ge=0)]
    batch_size: Count = 64
    grad_accumulation_steps: Count = 1
    """Each batch is taken in so many equal parts, whose gradients are averaged: less memory, nearly the same result."""
    ema_halflife_images: Count | None = None
    """The saved weights are an exponential moving average in which a weight counts half after so many images."""
    log_every_steps: Count = 50
    checkpoint_every_steps: Count = 500
    score_every_steps: Count | None = None
    """Samples are drawn after every so many steps, and scored after the training: a curve of FID."""
    score_images: Images = 500
    """So many; a curve of few images lies higher than the score of all."""
    on_nan: Literal["stop", "skip", "rewind"] = "stop"
    """What comes of a loss or gradient that is NaN or infinite.

    stop: the training ends with a message. skip: the optimizer's step is not taken. rewind: back to the newest
    checkpoint, and on with other random numbers and the images that come next, at most three times.
    """
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto"
    """auto: bf16-mixed on a GPU that has it, 32-true elsewhere."""
    tf32: bool = True
    """Whether a GPU may round the factors of 32-bit products to 10 bits of mantissa, which is much faster."""
    deterministic: bool = False
    """Whether a GPU must give the same result every time; slower. A CPU always does."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Whether losses are compiled; auto: on a GPU."""
    devices: Annotated[int | str, AfterValidator(_devices)] = 1
    """GPUs of each machine (processes, where there is no GPU), among which every batch is divided; auto: all."""
    nodes: Count = 1
    """Machines."""
    strategy: Strategy = "auto"
    """ddp: every device holds all weights, and gradients are averaged; auto: so where there are several devices.

    fsdp: every device keeps a part of the weights, averages and optimizers, and has whole weights only during a turn.
    """
    sync_batchnorm: bool = True
    """Whether batch normalization looks at the batches of all devices together."""

    @model_validator(mode="after")
    def _agrees(self) -> "Train":
        if self.batch_size % self.grad_accumulation_steps:
            raise ValueError(
                f"batch_size must be a multiple of grad_accumulation_steps, but {self.batch_size} is none of "
                f"{self.grad_accumulation_steps}"
            )
        if self.strategy == "fsdp" and self.precision == "16-mixed":
            raise ValueError("`strategy: fsdp` does not go with `precision: 16-mixed`; use bf16-mixed or 32-true")
        return self
