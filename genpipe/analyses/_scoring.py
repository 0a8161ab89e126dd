"""Scores of images that an analysis made or chose."""

from collections.abc import Mapping

from genpipe.errors import Unsuitable


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
