"""What git holds of a project."""

from pathlib import Path

from genpipe.provenance import git


def holds(root: Path, file: Path) -> bool:
    """Whether git holds a file as it is now, in its last commit."""
    return git(root, "status", "--porcelain", "--ignored", "--", str(file)) == ""


def committed(root: Path, file: Path) -> str | None:
    """The text of a file in the last commit; None if there is none."""
    return git(root, "show", f"HEAD:./{file}")
