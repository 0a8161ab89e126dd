"""What git holds of a project."""

import subprocess
from pathlib import Path

_ANSWER_SEC = 30.0
"""So long git may take."""


def holds(root: Path, file: Path) -> bool:
    """Whether git holds a file as it is now, in its last commit."""
    return _said(root, "status", "--porcelain", "--ignored", "--", str(file)) == ""


def committed(root: Path, file: Path) -> str | None:
    """The text of a file in the last commit; None if there is none."""
    return _said(root, "show", f"HEAD:./{file}")


def _said(root: Path, *words: str) -> str | None:
    try:
        return subprocess.run(
            ["git", *words], cwd=root, capture_output=True, check=True, timeout=_ANSWER_SEC
        ).stdout.decode("utf-8")
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
