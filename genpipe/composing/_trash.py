"""Files and folders that are deleted only once nothing can go wrong any more."""

import shutil
from pathlib import Path
from uuid import uuid4


class Trash:
    """A folder to which things are moved, from where they can be put back, until it is emptied."""

    def __init__(self, parent: Path) -> None:
        self.folder = parent / f"trash-{uuid4().hex[:8]}"
        self.taken: list[tuple[Path, Path]] = []

    def take(self, path: Path) -> None:
        """Moves a file or folder here."""
        self.folder.mkdir(parents=True, exist_ok=True)
        here = self.folder / str(len(self.taken))
        path.rename(here)
        self.taken.append((path, here))

    def put_back(self) -> None:
        """Moves what was taken last to where it was."""
        path, here = self.taken.pop()
        here.rename(path)
        if not self.taken:
            self.folder.rmdir()

    def empty(self) -> None:
        """Deletes all that is here."""
        shutil.rmtree(self.folder, ignore_errors=True)
