"""The committed state of a project in git."""

from pathlib import Path

from genpipe.provenance import git


def holds(root: Path, file: Path) -> bool:
    """Returns whether the last commit has a file as it is now."""
    return git(root, "status", "--porcelain", "--ignored", "--", str(file)) == ""


def committed(root: Path, file: Path) -> str | None:
    """Returns the text of a file in the last commit; None if there is none."""
    return git(root, "show", f"HEAD:./{file}")
