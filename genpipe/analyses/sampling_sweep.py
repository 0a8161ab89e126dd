"""Scores of samples as one option of sampling changes, such as the truncation of a GAN's codes."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from genpipe import plotting
from genpipe.analyses._ranks import rank_correlation
from genpipe.errors import UsageError
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.sampling import changed, sampling_with
from genpipe.nn.image_grid import grid
from genpipe.schema import Strict

_SHOWN = 10
"""Images of each value in the picture."""
_PANEL_PIXELS = 260


class SamplingSweep(Analysis):
    """Scores of samples at each value of an option, drawn from the same random numbers (arXiv:1809.11096, figure 2).

    The rank correlation of a score with the option is 1 where it only rises, −1 where it only falls.
    """

    class Config(Strict):
        option: str = "truncation"
        """One of the model's own, as it is called under `sample`."""
        values: Annotated[list[float], Field(min_length=3)] = [0.05, 0.25, 0.5, 1.0, 2.0]
        metrics: Annotated[list[str], Field(min_length=1)] = ["precision_recall"]
        images: Annotated[int, Field(ge=20, le=1_000_000)] = 1000
        """Drawn at each value."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.metrics = tuple(config.metrics)

    def unsuited(self, model_class: type[Generative]) -> str | None:
        try:
            for value in self.config.values:
                changed(model_class.Sampling(), {self.config.option: value})
        except UsageError as error:
            return str(error)
        return None

    def run(self, context: AnalysisContext) -> AnalysisResult:
        option, values = self.config.option, sorted(self.config.values)
        images, scores = [], []
        for value in values:
            with sampling_with(context.model, **{option: value}):
                images.append(context.draw(self.config.images))
            scores.append(context.scorer(context.extract(images[-1]), self.metrics))
        by_name = {name: np.array([one[name] for one in scores]) for name in scores[0]}
        numbers = {
            f"{option}_{name}_rank_correlation": rank_correlation(np.array(values), found)
            for name, found in by_name.items()
        }
        size = _PANEL_PIXELS * len(by_name), _PANEL_PIXELS
        curve = plotting.drawn(*size, lambda figure: _draw(figure, option, values, by_name))
        told = f"Scores of {len(images[0]):,} samples by `{option}`, from {values[0]:g} to {values[-1]:g}."
        rows = np.concatenate([some[:_SHOWN] for some in images])
        shown = f"The first samples at each `{option}`, from {values[0]:g} (top) to {values[-1]:g}."
        return AnalysisResult(
            {"sampling_sweep": (curve, told), "sampling_sweep_samples": (grid(rows, _SHOWN), shown)}, numbers
        )


def _draw(figure: Any, option: str, values: Sequence[float], scores: Mapping[str, np.ndarray]) -> None:
    for place, (name, found) in enumerate(scores.items(), 1):
        axes = plotting.panel(figure, 1, len(scores), place, title=name, x=option)
        axes.plot(values, found, "o-", color=plotting.ACCENT, markersize=4.5)
