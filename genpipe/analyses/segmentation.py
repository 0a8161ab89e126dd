"""Segmentation of translations: whether a net that was taught by real images finds in them what the map asked for."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Int, UInt8
from pydantic import Field

from genpipe.analyses._conditions import in_color, pictures
from genpipe.analyses._transferring import taught
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import DatasetInfo
from genpipe.interfaces.spec import VOID_LABEL, DataSpec
from genpipe.interfaces.translation import Translates
from genpipe.nn.batched_inference import passed
from genpipe.nn.image_grid import grid
from genpipe.nn.unet import UNet, UNetConfig
from genpipe.schema import Strict

Pixels = UInt8[np.ndarray, "n c h w"]
LabelMaps = Int[np.ndarray, "n h w"] | UInt8[np.ndarray, "n h w"]
Count = Annotated[int, Field(ge=1)]


class Segmentation(Analysis):
    """Mean IoU and pixel accuracy of what a segmenter sees in translations, as in section 4 of Park et al. 2019.

    The segmenter is a U-Net that real training images and their maps have taught. Its figures of held-out real images
    say how far the others can be trusted.
    """

    class Config(Strict):
        field: str = "label_map"
        """Field with the label map of each image."""
        steps: Count = 1000
        """Updates of the segmenter."""
        channels: Count = 16
        """Channels of its layer next to the image."""
        images: Annotated[int, Field(ge=1, le=64)] = 8
        """Rows of the picture."""

    requires = (Translates,)

    def unmet_requirement(self, info: DatasetInfo) -> str | None:
        maps = [name for name, field in info.spec.fields.items() if field.kind == "label_map"]
        if self.config.field in maps:
            return None
        has = f"the data has {' and '.join(maps)}: set `field`" if maps else "the data has no field of that kind"
        return f"it compares with the label map `{self.config.field}`, and {has}, or take the analysis out."

    def run(self, context: AnalysisContext) -> AnalysisResult:
        name, spec = self.config.field, context.model.init_args[1]
        rows = context.conditions(len(context.samples.images))
        truth, made = np.asarray(context.held_out_field(name)), context.draw_for(rows)
        segmenter = self._segmenter(context, spec)

        def seen(images: Pixels) -> LabelMaps:
            return passed(images, lambda x: segmenter(x).argmax(1), context.model.device)

        found = seen(made)
        counts = {"": (found, truth[rows]), "_real": (seen(np.asarray(context.real.held_out.images)), truth)}
        labels = [number for number, label in enumerate(spec.fields[name].labels) if label != VOID_LABEL]
        numbers: dict[str, float] = {}
        for of, (guess, answer) in counts.items():
            confusion = confused(guess, answer, spec.fields[name].size)
            numbers |= {
                f"mean_iou{of}": mean_iou(confusion, labels),
                f"pixel_accuracy{of}": accuracy(confusion, labels),
            }
        some = slice(self.config.images)
        shown = [pictures({name: truth[rows][some]}, spec), made[some], pictures({name: found[some]}, spec)]
        picture = grid(np.stack([in_color(one) for one in shown], 1).reshape(-1, 3, *made.shape[2:]), 3)
        told = (
            "From the left: held-out maps, their translations, and what a segmenter taught by real images sees there."
        )
        return AnalysisResult({"segmentation": (picture, told)}, numbers)

    def _segmenter(self, context: AnalysisContext, spec: DataSpec) -> UNet:
        """A U-Net that has learned the maps of real training images."""
        images = np.array(context.real.training.images)
        maps = np.asarray(context.training_field(self.config.field)).astype(np.int64)
        knobs = UNetConfig(generator_channels=self.config.channels, generator_norm="batch")
        with torch.random.fork_rng():
            torch.manual_seed(context.seed)
            size = spec.height, spec.width
            net = UNet(knobs, spec.channels, spec.fields[self.config.field].size, size, torch.nn.Identity)
        return taught(net.to(context.model.device), images, maps, self.config.steps, context.seed)


def confused(found: LabelMaps, truth: LabelMaps, labels: int) -> Int[np.ndarray, "k k"]:
    """The pixels of each label (row) that are taken for each (column)."""
    from sklearn.metrics import confusion_matrix  # only for evaluation

    return np.asarray(confusion_matrix(truth.ravel(), found.ravel(), labels=range(labels)))


def mean_iou(confusion: Int[np.ndarray, "k k"], labels: Sequence[int]) -> float:
    """Intersection over union, counted over all images, as a mean over the labels that the truth has.

    Pixels whose true label is none of these count nothing.
    """
    known = confusion[labels]
    hit, there, seen = confusion[labels, labels], known.sum(1), known[:, labels].sum(0)
    return float((hit / np.maximum(1, there + seen - hit))[there > 0].mean())


def accuracy(confusion: Int[np.ndarray, "k k"], labels: Sequence[int]) -> float:
    """The share of the pixels of these labels that is found."""
    return float(confusion[labels, labels].sum() / confusion[labels].sum())
