"""202,599 faces of the famous, 178×218 in color, with 40 attributes (download of 1.4 GB)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from genpipe.dataset.torchvision_sets import Part, Torchvision, picture_files
from genpipe.interfaces.sources import Chunk
from genpipe.interfaces.spec import FieldSpec
from genpipe.schema import Strict

ATTRIBUTES = (
    "5_o_clock_shadow", "arched_eyebrows", "attractive", "bags_under_eyes", "bald", "bangs", "big_lips", "big_nose",
    "black_hair", "blond_hair", "blurry", "brown_hair", "bushy_eyebrows", "chubby", "double_chin", "eyeglasses",
    "goatee", "gray_hair", "heavy_makeup", "high_cheekbones", "male", "mouth_slightly_open", "mustache",
    "narrow_eyes", "no_beard", "oval_face", "pale_skin", "pointy_nose", "receding_hairline", "rosy_cheeks",
    "sideburns", "smiling", "straight_hair", "wavy_hair", "wearing_earrings", "wearing_hat", "wearing_lipstick",
    "wearing_necklace", "wearing_necktie", "young",
)  # fmt: skip


class CelebA(Torchvision):
    """Liu et al. 2015 (arXiv:1411.7766), aligned and cropped: 162,770 training and 19,962 test images; no classes."""

    class Config(Strict): ...

    classes = ()
    channels = 3
    fields = {name: FieldSpec("class", (), 2) for name in ATTRIBUTES}
    wanted = ({"split": "train"}, {"split": "test"})

    def part(self, dataset: Any) -> Part:
        folder = Path(dataset.root) / dataset.base_folder / "img_align_celeba"
        read, labels, count = picture_files([folder / name for name in dataset.filename], None)
        columns = dataset.attr.numpy().astype(np.uint8).T
        names = [name.lower() for name in dataset.attr_names if name]  # the header ends with a space
        attributes = dict(zip(names, columns, strict=True))

        def with_attributes(rows: np.ndarray) -> Iterator[Chunk]:
            first = 0
            for chunk in read(rows):
                end = first + len(chunk.images)
                yield Chunk(chunk.images, {name: values[rows[first:end]] for name, values in attributes.items()})
                first = end

        return with_attributes, labels, count
