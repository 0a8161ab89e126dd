"""Sample grid: the first samples as they come, none chosen."""

from typing import Annotated

from pydantic import Field

from genpipe.interfaces import Analysis, Findings, Subject
from genpipe.nn.pictures import grid
from genpipe.schema import Strict


class SampleGrid(Analysis):
    """A square picture of samples."""

    class Config(Strict):
        rows: Annotated[int, Field(ge=1, le=64)] = 10

    def run(self, subject: Subject) -> Findings:
        shown = subject.samples.images[: self.config.rows**2]
        return Findings(
            {"sample_grid": (grid(shown, self.config.rows), f"The first {len(shown)} samples, none chosen.")}
        )
