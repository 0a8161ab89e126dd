"""A model in a notebook: it samples, encodes, decodes and reconstructs, and knows its scores and curves."""

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from PIL import Image

from genpipe import paths, registry
from genpipe.api.images import Given, Images, images
from genpipe.api.tables import curves_table, experiment_scores
from genpipe.artifacts.models import load_trained, save_model
from genpipe.config.project import Experiment, Project
from genpipe.dataset.storage import Prepared
from genpipe.errors import DataError, UsageError
from genpipe.interfaces.generative import Decodes, Encodes, Generates, Generative, Reconstructs
from genpipe.interfaces.sampling import sampling_with
from genpipe.interfaces.spec import DataSpec
from genpipe.nn.batched_inference import decoded
from genpipe.nn.latent_space import encoded, of_prior
from genpipe.sampling.drawing import generate_samples, reconstruct_images
from genpipe.sampling.latent import interpolated, verify_capable, verify_codes
from genpipe.training.curves import read_curves


class Model:
    """A generative model, from `genpipe.open` or `genpipe.build`.

    What it cannot do raises UsageError, which names the models that can.
    """

    def __init__(
        self,
        name: str,
        model_name: str,
        loaded: Callable[[], Generative],
        knobs: Mapping[str, Any],
        resize_mode: str | None = None,
        curves: pd.DataFrame | None = None,
    ) -> None:
        self.name = name
        """Of the experiment, the recipe or the folder."""
        self.model_name = model_name
        """Its file in genpipe/models, or its class."""
        self.knobs = knobs
        """`optim` and `train`, by which `genpipe.fit` trains it where it is not told otherwise."""
        self._loaded, self._resize_mode, self._curves = loaded, resize_mode, curves

    def __repr__(self) -> str:
        return f"<genpipe.Model {self.name}: {self.model_name}>"

    @cached_property
    def model(self) -> Generative:
        """The nn.Module, in evaluation mode, on a GPU if there is one. Raises CheckpointError if it is damaged."""
        return self._loaded()

    @property
    def spec(self) -> DataSpec:
        """The images that it was built for: channels, height and width in pixels, classes."""
        return cast(DataSpec, self.model.init_args[1])

    def sample(self, n: int = 16, *, seed: int = 0, **options: Any) -> Images:
        """Returns n new images; the same seed gives the same images. Models of classes cycle through them.

        `options` are those that the model has under `sample`, such as `truncation=0.5`.
        """
        self._verify(Generates)
        if n < 1 or not 0 <= seed < 2**32:
            raise UsageError(f"{n} images of seed {seed}: give 1 or more, and a seed from 0 to {2**32 - 1}.")
        with sampling_with(self.model, **options):
            return Images.of_planes(generate_samples(self.model, n, seed=seed))

    def encode(self, given: Given) -> np.ndarray:
        """Returns the codes [n d], float32, of anything that `genpipe.images` takes."""
        self._verify(Encodes)
        return encoded(self.model, self.seen(given).planes)

    def decode(self, codes: np.ndarray) -> Images:
        """Returns the images of codes [n d]."""
        self._verify(Decodes)
        return Images.of_planes(decoded(self.model, self._codes(codes)))

    def reconstruct(self, given: Given) -> Images:
        """Returns the reconstruction of each image."""
        self._verify(Reconstructs)
        rebuilt = reconstruct_images(self.model, self.seen(given).planes)
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
        """Returns rows of `steps` images from each of the ends to the next, on a "spherical" or "linear" path.

        The ends are codes [n d], or images, of which the codes are taken; two codes of the prior, if none are given.
        """
        self._verify(Decodes)
        if steps < 2:
            raise UsageError(f"a way of {steps} images; it has 2 at least.")
        if ends is None:
            z = of_prior(self.model, 2, seed)
        else:
            z = self._codes(ends) if isinstance(ends, np.ndarray) and ends.ndim == 2 else self.encode(ends)
        return Images.of_planes(interpolated(self.model, z, path, steps))

    def seen(self, given: Given) -> Images:
        """Returns images in the size and with the channels of the model's training images.

        Raises UsageError if theirs is another size and it is not known how they were resized for the training.
        """
        spec, found = self.spec, images(given)
        if found.shape[1:3] == (spec.height, spec.width) and found.shape[3] == spec.channels:
            return found
        if self._resize_mode is None:
            height, width, channels = found.shape[1:]
            raise UsageError(
                f"images of {channels}×{height}×{width} (channels×height×width), and {self.name} is made for "
                f"{spec.channels}×{spec.height}×{spec.width}. Give genpipe.images(…, size={spec.image_size}, "
                f"channels={spec.channels}, resize_mode=…), with the resize_mode of its training."
            )
        return images(given, size=spec.image_size, channels=spec.channels, resize_mode=self._resize_mode)

    def save(self, folder: str | PathLike[str]) -> None:
        """Writes the model into a folder, which it replaces; `genpipe.open` reads it.

        Raises UsageError if the model is no file of genpipe/models, so that nobody could open it.
        """
        kind = type(self.model)
        if self.model_name not in registry.names("models") or registry.load("models", self.model_name) is not kind:
            raise UsageError(f"{kind.__name__} is in no file of genpipe/models, which is needed to open it again.")
        save_model(self.model, self.model_name, self.model.init_args[0], self.spec, Path(folder))

    @property
    def curves(self) -> pd.DataFrame:
        """The training curves, a row per logged step: "autoencoder/loss" and so on."""
        if self._curves is None:
            raise UsageError(
                f"{self.name} has no curves; an experiment of a project has, and what genpipe.fit trained."
            )
        return self._curves

    @property
    def scores(self) -> pd.DataFrame:
        """Every figure of an experiment, a row each: `value`, its interval `low` to `high`, and its protocol."""
        raise UsageError(f"{self.name} has no scores; an experiment of a project has. genpipe.score(…) scores images.")

    @property
    def figures(self) -> dict[str, Image.Image]:
        """The pictures of an experiment's analyses by name."""
        raise UsageError(f"{self.name} has no figures; an experiment of a project has.")

    @property
    def held_out(self) -> Images:
        """The held-out images of an experiment's data set."""
        raise UsageError(f"{self.name} has no held-out images; an experiment of a project has.")

    def trained(self, curves: pd.DataFrame) -> None:
        """Stores the curves of a training."""
        self._curves = curves

    def _codes(self, codes: Any) -> np.ndarray:
        z = np.asarray(codes)
        if z.ndim != 2 or z.dtype.kind not in "iuf" or not len(z):
            raise UsageError(f"codes are numbers [n d], and {z.dtype} {list(z.shape)} is given.")
        verify_codes(z, f"the array {list(z.shape)}", self.model, self.name)
        return z

    def _verify(self, capability: type) -> None:
        verify_capable(self.name, self.model_name, type(self.model), capability)


class ExperimentModel(Model):
    """An experiment of a project, with the results of its stages."""

    def __init__(self, project: Project, experiment: Experiment) -> None:
        self._project, self._experiment = project, experiment
        knobs = {part: values for part, values in experiment.resolved().items() if part in ("optim", "train")}
        fit = experiment.data.common.resize_mode
        load = partial(load_trained, project.root, experiment)
        super().__init__(experiment.name, experiment.model_name, load, knobs, fit)

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
