"""A model in a notebook: what it draws, encodes, decodes and rebuilds, and what is known of it."""

from collections.abc import Callable, Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from PIL import Image

from genpipe import config, paths, registry
from genpipe.analyses._codes import encoded, of_prior
from genpipe.api.images import Given, Images, images
from genpipe.api.tables import curves_table, experiment_scores
from genpipe.data._storage import Prepared
from genpipe.errors import DataError, UsageError
from genpipe.interfaces import Decodes, Encodes, Generates, Generative, ImageSpec, Reconstructs
from genpipe.latent import verify_capable, verify_codes, walked
from genpipe.modelfiles import load_model, save_model
from genpipe.nn.passing import decoded
from genpipe.sampling import draw, rebuild
from genpipe.training.curves import read_curves


class Model:
    """A generative model, from `genpipe.open` or `genpipe.build`.

    What it cannot do raises UsageError, which names the systems that can.
    """

    def __init__(
        self,
        name: str,
        system: str,
        loaded: Callable[[], Generative],
        knobs: Mapping[str, Any],
        fit: str | None = None,
        curves: pd.DataFrame | None = None,
    ) -> None:
        self.name = name
        """Of the experiment, the recipe or the folder."""
        self.system = system
        """Its file in genpipe/models, or its class."""
        self.knobs = knobs
        """`optim` and `train`, by which `genpipe.fit` trains it where it is not told otherwise."""
        self._loaded, self._fit, self._curves = loaded, fit, curves

    def __repr__(self) -> str:
        return f"<genpipe.Model {self.name}: {self.system}>"

    @cached_property
    def model(self) -> Generative:
        """The nn.Module, in evaluation mode, on a GPU where there is one. Raises CheckpointError if it is damaged."""
        return self._loaded()

    @property
    def spec(self) -> ImageSpec:
        """The images that it was made for: channels, height and width in pixels, classes."""
        return cast(ImageSpec, self.model.built_from[1])

    def sample(self, n: int = 16, *, seed: int = 0) -> Images:
        """n new images; the same seed gives the same, of each class in turn where it draws classes."""
        self._verify(Generates)
        if n < 1 or not 0 <= seed < 2**32:
            raise UsageError(f"{n} images of seed {seed}: give 1 or more, and a seed from 0 to {2**32 - 1}.")
        return Images.of_planes(draw(self.model, n, seed=seed))

    def encode(self, given: Given) -> np.ndarray:
        """The codes [n d], float32, of anything that `genpipe.images` takes."""
        self._verify(Encodes)
        return encoded(self.model, self.seen(given).planes)

    def decode(self, codes: np.ndarray) -> Images:
        """The images of codes [n d]."""
        self._verify(Decodes)
        return Images.of_planes(decoded(self.model, self._codes(codes)))

    def reconstruct(self, given: Given) -> Images:
        """What it makes of each of the images that are given."""
        self._verify(Reconstructs)
        rebuilt = rebuild(self.model, self.seen(given).planes)
        assert rebuilt is not None
        return Images.of_planes(rebuilt)

    def interpolate(
        self,
        ends: Given | None = None,
        *,
        steps: int = 11,
        path: str = "spherical",
        seed: int = 0,
    ) -> Images:
        """Rows of `steps` images on the way from each of the ends to the next, "spherical" or "linear".

        The ends are codes [n d], or images, of which the codes are taken; two codes of the prior, if none are given.
        """
        self._verify(Decodes)
        if steps < 2:
            raise UsageError(f"a way of {steps} images; it has 2 at least.")
        if ends is None:
            z = of_prior(self.model, 2, seed)
        else:
            z = self._codes(ends) if isinstance(ends, np.ndarray) and ends.ndim == 2 else self.encode(ends)
        return Images.of_planes(walked(self.model, z, path, steps))

    def seen(self, given: Given) -> Images:
        """Images as the model was trained on them, in size and channels.

        Raises UsageError if theirs is another size and it is not known how they were made square for the training.
        """
        spec, found = self.spec, images(given)
        if found.shape[1:3] == (spec.height, spec.width) and found.shape[3] == spec.channels:
            return found
        if self._fit is None:
            height, width, channels = found.shape[1:]
            raise UsageError(
                f"images of {channels}×{height}×{width} (channels×height×width), and {self.name} is made for "
                f"{spec.channels}×{spec.height}×{spec.width}. Give genpipe.images(…, size={spec.height}, "
                f"channels={spec.channels}, fit=…), with the fit of its training."
            )
        return images(given, size=spec.height, channels=spec.channels, fit=self._fit)

    def save(self, folder: str | PathLike[str]) -> None:
        """Writes the weights and what they belong to into a folder, which it replaces; `genpipe.open` reads it.

        Raises UsageError if the system is no file of genpipe/models, so that nobody could open it.
        """
        kind = type(self.model)
        if self.system not in registry.names("models") or registry.load("models", self.system) is not kind:
            raise UsageError(f"{kind.__name__} is in no file of genpipe/models, which is needed to open it again.")
        save_model(self.model, self.system, self.model.built_from[0], self.spec, Path(folder))

    @property
    def curves(self) -> pd.DataFrame:
        """What the training noted, a row a logging step: "autoencoder/loss" and so on."""
        if self._curves is None:
            raise UsageError(
                f"{self.name} has no curves; an experiment of a project has, and what genpipe.fit trained."
            )
        return self._curves

    @property
    def scores(self) -> pd.DataFrame:
        """Every figure of an experiment, a row each: `value`, its interval `low` to `high`, and how it was made."""
        raise UsageError(f"{self.name} has no scores; an experiment of a project has. genpipe.score(…) scores images.")

    @property
    def figures(self) -> dict[str, Image.Image]:
        """The pictures of an experiment's analyses by name."""
        raise UsageError(f"{self.name} has no figures; an experiment of a project has.")

    @property
    def held_out(self) -> Images:
        """The images of an experiment's data set that it was not trained on."""
        raise UsageError(f"{self.name} has no held-out images; an experiment of a project has.")

    def trained(self, curves: pd.DataFrame) -> None:
        """Notes the curves of a training."""
        self._curves = curves

    def _codes(self, codes: Any) -> np.ndarray:
        z = np.asarray(codes)
        if z.ndim != 2 or z.dtype.kind not in "iuf" or not len(z):
            raise UsageError(f"codes are numbers [n d], and {z.dtype} {list(z.shape)} is given.")
        verify_codes(z, f"the array {list(z.shape)}", self.model, self.name)
        return z

    def _verify(self, capability: type) -> None:
        verify_capable(self.name, self.system, type(self.model), capability)


class Experiment(Model):
    """An experiment of a project, with what its stages left on disk."""

    def __init__(self, project: config.Project, experiment: config.Experiment) -> None:
        self._project, self._experiment = project, experiment
        knobs = {part: values for part, values in experiment.resolved().items() if part in ("optim", "train")}
        folder, fit = project.root / paths.model(experiment.name), experiment.data.common.fit
        super().__init__(experiment.name, experiment.model_name, lambda: load_model(folder)[0], knobs, fit)

    @property
    def curves(self) -> pd.DataFrame:
        if self._curves is None:
            self._curves = curves_table(read_curves(self._present(paths.curves(self.name))))
        return self._curves

    @property
    def scores(self) -> pd.DataFrame:
        self._present(paths.scores(self.name))
        return experiment_scores(self._project.root, self.name)

    @property
    def figures(self) -> dict[str, Image.Image]:
        folder = self._present(paths.figures(self.name))
        return {file.stem: Image.open(file) for file in sorted(folder.glob("*.png"))}

    @property
    def held_out(self) -> Images:
        prepared = Prepared.open(self._project.root / paths.data(self._experiment.data.name))
        return Images.of_planes(prepared.images("test"))

    def _present(self, path: Path) -> Path:
        if not (self._project.root / path).exists():
            raise DataError(f"{self.name} has no {path} yet. Run `dvc repro` to make it.")
        return self._project.root / path
