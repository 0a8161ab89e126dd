"""Class grid: samples with one class a column."""

from typing import Annotated

import numpy as np
from jaxtyping import Int
from pydantic import Field

from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.classes import GeneratesClasses
from genpipe.nn.image_grid import grid
from genpipe.schema import Strict


class ClassGrid(Analysis):
    """A picture of the first samples that were asked for each class."""

    class Config(Strict):
        rows: Annotated[int, Field(ge=1, le=64)] = 10
        """At most; fewer if there are not as many samples of each class."""
        classes: Annotated[int, Field(ge=1, le=64)] = 20
        """Shown at most: the first so many."""

    requires = (GeneratesClasses,)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        assert context.samples.labels is not None, "samples of classes come with the classes that were asked for"
        chosen = by_class(np.asarray(context.samples.labels), self.config.rows, self.config.classes)
        picture = grid(context.samples.images[chosen.ravel()], chosen.shape[1])
        caption = "Samples, the class asked for the same in each column; the first of each class, none chosen."
        return AnalysisResult({"class_grid": (picture, caption)})


def by_class(labels: Int[np.ndarray, "n"], rows: int, classes: int) -> Int[np.ndarray, "r k"]:
    """The numbers of the first images of each class, one column per class; as many rows as every class can fill."""
    columns = [np.flatnonzero(labels == label)[:rows] for label in np.unique(labels)[:classes]]
    shortest = min(len(column) for column in columns)
    return np.stack([column[:shortest] for column in columns], axis=1)
