"""Words of an older genpipe, and what they are called now; light, so that a command may ask before it starts."""

from collections.abc import Mapping, Sequence

Path = Sequence[str | int]

KEYS: Mapping[str, str] = {
    "datasets.*.size": "image_size",
    "datasets.*.fit": "resize_mode",
    "datasets.*.limit": "max_images",
    "datasets.*.flip": "horizontal_flip",
    "datasets.*.leave_out": "exclude_classes",
    "datasets.*.labelled": "num_labels",
    "datasets.*.binarise": "binarize",
    "optim.*.clip_norm": "grad_clip_norm",
    "train.accumulate_steps": "grad_accumulation_steps",
    "train.average_halflife_images": "ema_halflife_images",
    "model.body": "architecture",
    "model.mapping_rate": "mapping_lr_multiplier",
    "model.labelled_share": "labeled_share",
    "model.penalty_every_turns": "penalty_interval",
    "model.path_length_every_turns": "path_length_interval",
    "evaluate.metrics.memorisation": "memorization",
    "evaluate.metrics.memorisation_features": "feature_memorization",
    "analyses.precision_recall_curve.most_neighbours": "most_neighbors",
    "analyses.embedding.neighbours": "neighbors",
    "analyses.latent_embedding.neighbours": "neighbors",
    "analyses.walk": "interpolation",
    "analyses.direction": "latent_direction",
    "analyses.disturbance": "metric_sensitivity",
    "analyses.embedding": "latent_embedding",
    "analyses.saturation": "generator_gradient",
    "analyses.growth": "progressive_samples",
    "analyses.nearest_neighbours": "nearest_neighbors",
    "analyses.truncation": "sampling_sweep",
    "analyses.truncation.thresholds": "values",
    "analyses.sampling_sweep.thresholds": "values",
    "system": "model",
    "images": "data_spec",
    "flip": "horizontal_flip",
}
"""Places in YAML and JSON files, where * is any one key, and the last key's name now."""
VALUES: Mapping[tuple[str, object], str] = {
    ("model.likelihood", "discretised_logistic"): "discretized_logistic",
    ("analyses.*.factor", "colour"): "color",
}
COMMANDS: Mapping[tuple[str, ...], str] = {
    ("data", "look"): "data inspect",
    ("list", "systems"): "list models",
    ("walk",): "interpolate",
}
OPTIONS: Mapping[tuple[str, str], str] = {
    ("walk", "--moving"): "--animate",
    ("interpolate", "--moving"): "--animate",
    ("data add", "--size"): "--image-size",
    ("data add", "--limit"): "--max-images",
    ("data add", "--flip"): "--horizontal-flip",
    ("data add", "--binarise"): "--binarize",
}


def new_key(path: Path) -> str | None:
    """What the last key of a place is called now; None if it was never called otherwise.

    What a finished model's `config` says stands under `model` in a pipeline, and what a pipeline says of `optim` and
    `train` may stand under `reference` in the index.
    """
    keys = [str(key) for key in path]
    keys = ["model", *keys[1:]] if keys[:1] == ["config"] else keys[1:] if keys[:1] == ["reference"] else keys
    return next((new for pattern, new in KEYS.items() if _matches(pattern, keys)), None)


def new_value(path: Path, value: object) -> str | None:
    """What a value is called now; None if it was never called otherwise."""
    keys = [str(key) for key in path]
    found = (new for (pattern, old), new in VALUES.items() if old == value and _matches(pattern, keys))
    return next(found, None)


def answered(words: Sequence[str]) -> str | None:
    """What to say of a command line in old words; None if there is nothing to say."""
    plain = [word for word in words if not word.startswith("-")]
    told = [
        f"`genpipe {' '.join(old)}` is now `genpipe {new}`"
        for old, new in COMMANDS.items()
        if plain[: len(old)] == list(old)
    ]
    given = {word.partition("=")[0] for word in words}
    told += [
        f"`{old}` of `genpipe {command}` is now `{new}`"
        for (command, old), new in OPTIONS.items()
        if old in given and plain[: len(command.split())] == command.split()
    ]
    return f"{'; '.join(told)}." if told else None


def _matches(pattern: str, keys: Sequence[str]) -> bool:
    parts = pattern.split(".")
    return len(parts) == len(keys) and all(part in ("*", key) for part, key in zip(parts, keys, strict=True))
