"""What a YAML file says about training."""

from typing import Annotated, Literal

from pydantic import Field

from genpipe.schema import Strict

Count = Annotated[int, Field(ge=1)]


class Optim(Strict):
    """How the weights of one phase move."""

    algorithm: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    lr: float = Field(default=1e-3, gt=0)
    betas: Annotated[tuple[float, float], Field(strict=False)] = (0.9, 0.999)
    """Of adam and adamw; the first is the momentum of sgd and the second the smoothing of rmsprop."""
    weight_decay: float = Field(default=0.0, ge=0)
    clip_norm: float | None = Field(default=None, gt=0)
    """Gradients longer than this are scaled down to it."""


class Train(Strict):
    """How long, on how much at a time, and how closely watched."""

    steps: Annotated[int, Field(ge=0)]
    batch_size: Count = 64
    average_halflife_images: Count | None = None
    """The saved weights are an exponential moving average in which a weight counts half after so many images."""
    log_every_steps: Count = 50
    checkpoint_every_steps: Count = 500
    on_nan: Literal["stop", "skip", "rewind"] = "stop"
    """What comes of a loss or gradient that is NaN or infinite.

    stop: the training ends with a message. skip: the optimizer's step is not taken. rewind: back to the newest
    checkpoint, and on with other random numbers and the images that come next, at most three times.
    """
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto"
    """auto: bf16-mixed on a GPU that has it, 32-true elsewhere."""
