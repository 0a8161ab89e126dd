"""LSUN's scenes, 256 pixels wide in color, from databases that lie on this machine (torchvision, with lmdb)."""

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from genpipe.dataset.picture_files import in_chunks, located
from genpipe.dataset.splitting import splits_of
from genpipe.errors import DataError
from genpipe.interfaces.sources import Collection, EncodedImage, Source
from genpipe.schema import Strict

Category = Literal[
    "bedroom", "bridge", "church_outdoor", "classroom", "conference_room", "dining_room", "kitchen", "living_room",
    "restaurant", "tower",
]  # fmt: skip


class LSUN(Source):
    """Yu et al. 2015 (arXiv:1506.03365): the training part of some categories, each a class."""

    class Config(Strict):
        path: Annotated[str, Field(min_length=1)]
        """The folder that holds bedroom_train_lmdb and its like."""
        categories: Annotated[list[Category], Field(min_length=1)] = ["bedroom"]
        test_images: Annotated[int, Field(ge=1)] = 5000

    channels = 3

    def __init__(self, config: Config, root: Path) -> None:
        self.config, self.path = config, located(config.path, root)

    @property
    def classes(self) -> tuple[str, ...]:
        names = tuple(self.config.categories)
        return names if len(names) > 1 else ()

    def collection(self, seed: int) -> Collection:
        databases = self._databases()
        counts = [len(database) for database in databases]
        labels = np.repeat(np.arange(len(counts)), counts)
        parts = splits_of(labels, len(labels), self.config.test_images, seed)
        starts = np.cumsum([0, *counts])

        def files(rows: np.ndarray) -> Iterator[EncodedImage]:
            for row in rows:
                database = databases[labels[row]]
                key = database.keys[row - starts[labels[row]]]
                with database.env.begin(write=False) as reading:
                    yield key.decode("ascii", "replace"), reading.get(key)

        return Collection(lambda rows: in_chunks(files(rows)), parts, labels if self.classes else None)

    def _databases(self) -> list[Any]:
        """torchvision's view of each category; it leaves a pickled list of keys where it is run, so not here."""
        folder = self.path.resolve()
        for category in self.config.categories:
            if not (folder / f"{category}_train_lmdb" / "data.mdb").is_file():
                raise DataError(
                    f"{folder}/{category}_train_lmdb is not there, or holds no data.mdb. LSUN has no download in "
                    f"torchvision: get {category}_train_lmdb.zip with the script at github.com/fyu/lsun, and unpack it "
                    "there."
                )
        try:
            from torchvision import datasets

            with TemporaryDirectory(prefix="genpipe-") as elsewhere, chdir(elsewhere):
                return list(datasets.LSUN(str(folder), [f"{c}_train" for c in self.config.categories]).dbs)
        except ModuleNotFoundError:
            raise DataError("LSUN needs the package lmdb: pip install lmdb.") from None
        except Exception as error:  # lmdb's own errors are known only where lmdb is
            raise DataError(f"the databases in {folder} cannot be read: {error}.") from None
