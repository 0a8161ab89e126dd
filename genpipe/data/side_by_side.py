"""Your own pairs, two pictures side by side in one file: one half is the image, the other its field `source`."""

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from genpipe.dataset.picture_archives import ArchivePictures
from genpipe.dataset.picture_files import OwnFiles, PictureFiles, Pictures, grouped
from genpipe.dataset.picture_folders import FolderPictures
from genpipe.interfaces.sources import Chunk, Half
from genpipe.interfaces.spec import FieldSpec


class SideBySide(PictureFiles):
    """A folder or an archive of pictures of two halves, as pix2pix has them (Isola et al. 2017, arXiv:1611.07004)."""

    class Config(OwnFiles):
        image: Literal["left", "right"]
        """Which half is the image."""

    config: Config

    def opened(self) -> Pictures:
        return (FolderPictures if self.path.is_dir() else ArchivePictures)(self.path, self.config.labels)

    @property
    def fields(self) -> Mapping[str, FieldSpec]:
        return {"source": FieldSpec("image", (3 if any(self.listing.colored) else 1, 0, 0))}

    def chunks(self, rows: np.ndarray) -> Iterator[Chunk]:
        image = self.config.image
        other: Literal["left", "right"] = "right" if image == "left" else "left"
        for files in grouped(self.pictures.files(rows)):
            yield Chunk(
                [(name, Half(content, image)) for name, content in files],
                {"source": [(name, Half(content, other)) for name, content in files]},
            )
