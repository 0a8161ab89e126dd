"""Translations of held-out conditions beside what they are made of and, where it is known, what should come out."""

from typing import Annotated

import numpy as np
from jaxtyping import Float, UInt8
from pydantic import Field

from genpipe.analyses._conditions import in_color, pictures
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.translation import IMAGE, GeneratesFor, TranslatesDomains
from genpipe.nn.image_grid import grid
from genpipe.schema import Strict

Pixels = UInt8[np.ndarray, "n c h w"]


class Translation(Analysis):
    """Rows of condition, translations and truth; and how much several translations of one condition differ."""

    class Config(Strict):
        images: Annotated[int, Field(ge=1, le=64)] = 10
        """Rows of the picture."""
        draws: Annotated[int, Field(ge=2, le=16)] = 5
        """Translations of each condition, by models for which one has more than one."""

    requires = (GeneratesFor,)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        model, rows = context.model, context.conditions(self.config.images)
        assert isinstance(model, GeneratesFor)
        draws = self.config.draws if model.stochastic else 1
        made = context.draw_for(np.repeat(rows, draws)).reshape(len(rows), draws, *model.init_args[1].shape)
        given = {name: np.asarray(context.held_out_field(name)[rows]) for name in model.condition}
        shown = [pictures(given, model.init_args[1]), *made.swapaxes(0, 1)]
        truth = not isinstance(model, TranslatesDomains)
        shown += [np.asarray(context.held_out_field(IMAGE)[rows])] if truth else []
        picture = grid(np.stack([in_color(one) for one in shown], 1).reshape(-1, 3, *made.shape[3:]), len(shown))
        told = f"Held-out conditions, {'a translation' if draws == 1 else f'{draws} translations'} of each"
        told += ", and the true images." if truth else "."
        numbers = {"translation_diversity": float(diversity(made).mean())} if draws > 1 else {}
        return AnalysisResult({"translation": (picture, told)}, numbers)


def diversity(made: UInt8[np.ndarray, "n k c h w"]) -> Float[np.ndarray, "n"]:
    """The mean absolute difference of every two of the k images of a condition, in gray levels."""
    values, k = made.astype(np.float64), made.shape[1]
    pairs = [np.abs(values[:, i] - values[:, j]).mean(axis=(1, 2, 3)) for i in range(k) for j in range(i)]
    return np.mean(pairs, axis=0)
