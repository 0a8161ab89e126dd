"""Whether parts suit each other: systems and what is asked of them, phases and optimizers, extractors and images."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from genpipe import registry
from genpipe.document import Document, KeyPath
from genpipe.errors import Problem, Unsuitable, nearest


def lacking(
    system: Any, name: str, knobs: Any, metrics: Collection[str], analyses: Collection[str], document: Document
) -> list[Problem]:
    """The metrics, analyses and knobs that ask for what a system cannot do."""
    from genpipe.interfaces import Generates

    asked: list[tuple[KeyPath, type]] = [
        *((("analyses", one), needed) for one in analyses for needed in registry.load("analyses", one).requires),
        *((("evaluate", "metrics", one), needed) for one in metrics for needed in _needed(one)),
        *((("train", "score_every_steps"), Generates) for _ in range(bool(knobs and knobs.train.score_every_steps))),
    ]
    unscored = [
        document.problem(("analyses", one), f"draws the metric {metric}; write it under evaluate.metrics too.")
        for one in analyses
        for metric in registry.load("analyses", one).metrics
        if metric not in metrics
    ]
    return unscored + [
        document.problem(at, f"needs a system that {needed.__name__}, and {name} does not; remove it.")
        for at, needed in asked
        if not issubclass(system, needed)
    ]


def too_small(metrics: Collection[str], size: int, document: Document) -> list[Problem]:
    """The metrics that cannot score images of such a side in pixels."""
    least = {name: registry.load("metrics", name).least_pixels for name in metrics}
    return [
        document.problem(
            ("evaluate", "metrics", name), f"needs images of {most} pixels a side, these have {size}; remove it."
        )
        for name, most in least.items()
        if size < most
    ]


def unknown(
    system: Any, name: str, data: Any, analyses: Mapping[str, Any], index: Document, document: Document
) -> list[Problem]:
    """What a system and analyses, each with its knobs, have to be told of each image and the data set does not know."""
    known = known_of(data)
    extras = system.extras if known.extras is None else known.extras
    remedies = {extra: _remedy(extra) for extra in system.extras if extra not in extras}
    unsaid = [
        index.problem(("datasets", data.name), f"{name} needs '{extra}' of each image, which is not known; {remedy}.")
        for extra, remedy in remedies.items()
    ]
    return unsaid + [document.problem(("analyses", one), told) for one, told in unserved(data, analyses).items()]


def _remedy(extra: str) -> str:
    """How a data set comes to know what else is asked of each image."""
    from genpipe.interfaces import KNOWN_LABEL

    knobs = {
        KNOWN_LABEL: "write `labelled: 100` there, how many labels it may know",
        "sweep": "write `source: shapes` and `sweep_images: 10` there",
    }
    return knobs.get(extra, "take another source")


def unserved(data: Any, analyses: Mapping[str, Any]) -> dict[str, str]:
    """What to say of each analysis that a data set cannot serve. Raises DataError if its source cannot be read."""
    known = known_of(data)
    missing = {one: registry.load("analyses", one)(knobs).missing(known) for one, knobs in analyses.items()}
    return {one: told for one, told in missing.items() if told}


def known_of(data: Any) -> Any:
    """What is Known of a data set before any image is read. Raises DataError if its source cannot be read."""
    from genpipe.interfaces import KNOWN_LABEL, Known

    factors, others = data.opened.factors, data.opened.extras
    labels = (KNOWN_LABEL,) if data.common.labelled else ()
    extras = None if factors is None or others is None else (*factors, *others, *labels)
    return Known(data.spec(), factors, extras, tuple(map(str, data.common.leave_out)))


def spec_of(data: Any) -> Any:
    """The ImageSpec that a data set will have, as far as it is known before any image is read. Raises DataError."""
    from genpipe.interfaces import ImageSpec

    channels, classes = data.common.channels or data.opened.channels, data.opened.classes
    size, levels = data.common.size, 2 if data.common.binarise else 256
    return ImageSpec(channels, size, size, classes, levels, _untrained(data, classes))


def counts_of(data: Any) -> Any:
    """How many images of each class are in each of SPLITS, where a person's own files tell; otherwise None."""
    from genpipe.data._preparing import counted, taken

    if data.opened.watched is None:
        return None  # others would have to be downloaded, or made
    collection, common, classes = data.opened.collection(data.seed), data.common, data.opened.classes
    return counted(collection, taken(collection, classes, common.leave_out, common.limit, data.seed), classes)


def _untrained(data: Any, classes: Sequence[str]) -> tuple[int, ...]:
    """The classes of which it is known that no image is trained on."""
    from genpipe.data._preparing import untrained

    if data.counts is not None:
        empty = untrained(data.counts)
        return empty if classes else ()
    left_out = {str(name) for name in data.common.leave_out}
    return tuple(number for number, name in enumerate(classes) if name in left_out)


def _needed(metric: str) -> list[type]:
    from genpipe.interfaces import GeneratesClasses, Reconstructs

    looks_at = registry.load("metrics", metric).looks_at
    return [GeneratesClasses] if looks_at == "labels" else [Reconstructs] if "pairs" in looks_at else []


def optim_problems(system: Any, model: Any, data: Any, optim: Mapping[str, Any], document: Document) -> list[Problem]:
    """What is wrong with `optim`, seen from the phases of the model; it is built without memory for its weights."""
    try:
        phases = [phase.name for phase in registry.outline(system, model, data.spec()).phases()]
    except Unsuitable as error:
        return [document.problem(("model",), str(error))]
    return phase_problems(phases, optim, ("optim",), document)


def phase_problems(phases: Iterable[str], optim: Mapping[str, Any], at: KeyPath, document: Document) -> list[Problem]:
    """The phases that have no optimizer, and the optimizers that have no phase."""
    named = list(dict.fromkeys(phases))
    unknown = [name for name in optim if name not in named]
    missing = [name for name in named if name not in optim]
    return [document.problem((*at, name), f"no such phase.{nearest(name, named)}") for name in unknown] + [
        document.problem(at, f"the phase '{name}' is missing.") for name in missing
    ]
