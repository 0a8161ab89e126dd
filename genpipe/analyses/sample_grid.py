"""Sample grid: the first samples as they come, none chosen."""

from typing import Annotated

from pydantic import Field

from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.nn.image_grid import grid
from genpipe.schema import Strict


class SampleGrid(Analysis):
    """A square picture of samples."""

    class Config(Strict):
        rows: Annotated[int, Field(ge=1, le=64)] = 10

    def run(self, context: AnalysisContext) -> AnalysisResult:
        shown = context.samples.images[: self.config.rows**2]
        return AnalysisResult(
            {"sample_grid": (grid(shown, self.config.rows), f"The first {len(shown)} samples, none chosen.")}
        )
