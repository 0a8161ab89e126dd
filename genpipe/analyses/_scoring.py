"""Scores of images that an analysis made or chose."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Int

from genpipe.errors import Unsuitable
from genpipe.interfaces import Evidence


def named(scores: Mapping[str, float], prefix: str) -> tuple[str, float]:
    """The score whose name begins so, with its name: of several, the shortest. Raises Unsuitable if there is none."""
    names = [name for name in scores if name.startswith(prefix)]
    if not names:
        raise Unsuitable(
            f"no score is called {prefix}…, which an analysis draws. Write the metric under evaluate.metrics, with an "
            "extractor that gives what it looks at, or take the analysis out."
        )
    name = min(names, key=len)
    return name, scores[name]


def chosen(images: Evidence, which: Int[np.ndarray, "k"]) -> Evidence:
    """The evidence of some of the images."""
    parts = (images.images, images.features, images.probabilities, images.labels)
    return Evidence(*(None if part is None else part[which] for part in parts))  # type: ignore[arg-type]
