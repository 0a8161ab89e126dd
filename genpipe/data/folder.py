"""A folder of your own pictures: one folder a class, or all in one."""

from genpipe.dataset.picture_files import OwnFiles, PictureFiles
from genpipe.dataset.picture_folders import FolderPictures


class Folder(PictureFiles):
    """Pictures anywhere below a folder; links are not followed."""

    class Config(OwnFiles): ...

    def opened(self) -> FolderPictures:
        return FolderPictures(self.path, self.config.labels)
