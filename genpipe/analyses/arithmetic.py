"""Arithmetic: codes of what is wanted and unwanted, added and taken away."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float
from pydantic import Field

from genpipe.analyses._attributes import attribute, examples, missing, too_alike
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import DatasetInfo
from genpipe.interfaces.generative import Decodes, Encodes
from genpipe.nn.batched_inference import decoded
from genpipe.nn.image_grid import grid
from genpipe.schema import Strict


class Arithmetic(Analysis):
    """z_a − z_b + z_c: what shows b is to show a, and to stay what it is otherwise (Radford et al. 2016, fig. 7).

    z_a and z_b are means over examples of two values of the class or of a factor; z_c is a single code with the value
    b. The accuracy is the share of results that are seen to show a: by the extractor's classes, or for a factor by what
    is read off pixels. Beside it stands that of the examples' codes, decoded as they are.
    """

    class Config(Strict):
        factor: str | None = None
        """A category that the source knows; null is the class."""
        averaged: Annotated[int, Field(ge=1)] = 3
        """Examples in each of the two means; the paper averages three."""
        trials: Annotated[int, Field(ge=2, le=1_000_000)] = 200
        shown: Annotated[int, Field(ge=1, le=64)] = 10
        examples: Annotated[int, Field(ge=4)] = 2000
        """Codes from which all are taken."""

    requires = (Decodes,)

    def unmet_requirement(self, info: DatasetInfo) -> str | None:
        counts, averaged = info.training_by_class, self.config.averaged
        if self.config.factor is None and counts is not None and sum(count > averaged for count in counts) < 2:
            return f"it needs two classes of more than {averaged} training images each; lower `averaged`, or remove it."
        return missing(info, self.config.factor)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        of = attribute(context, self.config.factor)
        z, values, whose = examples(of, self.config.examples)
        members = {value: np.flatnonzero(values == value) for value in of.categories}
        enough = {value: rows for value, rows in members.items() if len(rows) > self.config.averaged}
        if len(enough) < 2:
            told = f"{len(enough)} of {len(members)} values of {of.name} have over {self.config.averaged} examples"
            return too_alike(of, "arithmetic", z[: self.config.shown], f"{told}, and two are needed")
        wanted, terms = self._terms(z, enough, np.random.default_rng(context.seed))
        a, b, c = terms
        images = [decoded(context.model, codes) for codes in (a, b, c, a - b + c)]
        accuracy = float((of.value(images[3]) == wanted).mean())
        numbers = {"arithmetic_accuracy": accuracy}
        n = min(self.config.shown, len(wanted))
        picture = grid(np.concatenate([rows[:n] for rows in images]), n)
        told = (
            f"First row − second row + third row = fourth row, in codes of {whose}. The first two are means of "
            f"{self.config.averaged}; the second and the third show the same {of.name}. Of the results {accuracy:.0%} "
            "show that of the first."
        )
        if isinstance(context.model, Encodes):  # of others it is known only by what is seen
            as_they_are = float((of.value(decoded(context.model, z)) == values).mean())
            numbers["arithmetic_accuracy_decoded"] = as_they_are
            told += f" Codes as they are, decoded, show their own in {as_they_are:.0%}."
        return AnalysisResult({"arithmetic": (picture, told)}, numbers)

    def _terms(
        self, z: Float[np.ndarray, "n d"], members: Mapping[Any, np.ndarray], rng: np.random.Generator
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """The value that each trial is to show, and its three terms [trials d]; `members` has the rows of each."""
        wanted, terms = [], []
        for _ in range(self.config.trials):
            a, b = rng.choice(list(members), 2, replace=False)
            first = rng.choice(members[a], self.config.averaged, replace=False)
            *second, third = rng.choice(members[b], self.config.averaged + 1, replace=False)
            wanted.append(a)
            terms.append([z[first].mean(0), z[second].mean(0), z[third]])
        return np.array(wanted), list(np.array(terms).swapaxes(0, 1))
