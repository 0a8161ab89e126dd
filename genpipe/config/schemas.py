"""What YAML files say, but for the knobs of parts, which stand beside the parts."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from genpipe.schema import Strict

Strategy = Literal["auto", "ddp", "fsdp"]
Count = Annotated[int, Field(ge=1)]
Images = Annotated[int, Field(ge=1, le=1_000_000)]
"""That are drawn, and lie in memory together."""
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


class Sample(Strict):
    """How many images are drawn for the scores."""

    images: Images = 10000
    batch_size: Images = 500


class Evaluate(Strict):
    """Which scores."""

    metrics: dict[str, dict[str, Any]]


class Knobs(Strict):
    """A pipeline file; `model`, `evaluate.metrics` and `analyses` have schemas beside what they configure."""

    seed: int = Field(ge=0, lt=2**32)
    model: dict[str, Any]
    optim: dict[str, Optim]
    train: Train
    sample: Sample
    evaluate: Evaluate
    analyses: dict[str, dict[str, Any]]


class Entry(Strict):
    """One experiment's line in the index."""

    model: str
    data: str


class Dataset(Strict):
    """What every data set says of itself; the rest is its source's."""

    source: str
    image_size: Count
    resize_mode: Literal["pad", "crop", "random_crop", "stretch"] = "crop"
    channels: Literal[1, 3] | None = None
    """1 for gray, 3 for color; as the source has it, if not given."""
    max_images: Count | None = None
    """At most so many images of each split are taken, drawn by the seed."""
    horizontal_flip: bool = False
    """Whether half of the images of each training batch are mirrored."""
    extractors: Annotated[list[str], Field(min_length=1)] | None = None
    """Which extractors look at it, instead of `reference.extractors`; others than those have their default knobs."""
    extractor_steps: Annotated[int, Field(ge=0)] | None = None
    """How long extractors are trained on it, instead of `reference.train.steps`: few, to see that everything runs."""
    skip_broken: bool = False
    """Whether pictures that cannot be read are left out, instead of ending the preparation."""
    binarize: Literal["threshold", "sampled"] | None = None
    """Whether levels become 0 or 255: the nearer one, or 255 with the probability level / 255, drawn once."""
    exclude_classes: list[str | int] = []
    """The names of classes of which no image is trained on; their test images stay."""
    num_labels: Count | None = None
    """How many labels a model that learns from few may know: drawn by the seed, of all classes alike."""


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

    package: str | None = None  # a person's own, with models, data sources, metrics, analyses, extractors, recipes
    seed: int = Field(ge=0, lt=2**32)
    datasets: dict[str, dict[str, Any]]
    reference: Reference
    experiments: dict[str, Entry]
