"""A .zip, .tar or .tar.xz of your own pictures, laid out like a folder, or with a dataset.json."""

from genpipe.dataset.picture_archives import ArchivePictures
from genpipe.dataset.picture_files import OwnFiles, PictureFiles


class Archive(PictureFiles):
    """Pictures in an archive, which is never extracted."""

    class Config(OwnFiles): ...

    def opened(self) -> ArchivePictures:
        return ArchivePictures(self.path, self.config.labels)
