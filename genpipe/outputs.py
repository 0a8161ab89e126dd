"""Where stages write, and what else lies there: DVC or the stage itself empties such a place, unasked.

A place is known by what it holds: by the names of files in a folder, and by a mark, which is a name or words of a file
that no person would write. A stage that was killed, or a clone, leaves what a stage has made; `dvc.lock` need not have
it. What a person has put there is what no stage makes.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from genpipe import paths, registry
from genpipe.errors import ExistsError

_NOBODYS = r"(?:.*/)?(?:\.[^/]+\.[0-9a-f]{8}\.tmp(?:/.*)?|\.DS_Store|Thumbs\.db|desktop\.ini)"
"""What a stage leaves that is killed while it writes, and what file managers put anywhere."""
_LOCK = Path("dvc.lock")
_NAMED = 5
"""So many files of a place are named."""
_MOST = 10 * 2**20
"""Bytes of a file that are searched for its mark."""


class Place(NamedTuple):
    """What a stage writes to a path, relative to the root."""

    path: Path
    mark: str = ""
    """Found in the file; or the name of one of the files in the folder. Not asked for if dvc.lock has the path."""
    names: str | None = None
    """The files in the folder, by their paths in it; None: the path is a file."""


def of_project(data: Iterable[str], experiments: Iterable[str]) -> list[Place]:
    """Everything that the stages of a project write."""
    own = [place for name in data for place in of_data(name)] + [p for name in experiments for p in of_experiment(name)]
    return [
        *own,
        Place(paths.CHECKED, '"valid"'),
        Place(paths.SOURCE_STATES, names=r"[^/]+\.json"),
        Place(paths.REPORTS / "index.html", "<title>Generative models"),
        Place(paths.REPORTS / "README.md", "`dvc repro` writes this page"),
        Place(paths.REPORTS / "leaderboard.csv", r"\A(?:data,|\s*\Z)"),
    ]


def of_data(name: str) -> list[Place]:
    """What the stages of a data set write."""
    seen = r"(?:features|probabilities)\.npy|about\.json"
    extractor = rf"about\.json|weights\.safetensors|(?:train|test)/(?:{seen})|statistics/(?:[^/]+\.npz|about\.json)"
    return [
        Place(paths.data(name), r"meta\.json", r"meta\.json|[^/]+\.npy"),
        Place(paths.reference(name), names=rf"[^/]+/(?:{extractor})"),
        Place(paths.reference_scores(name), r'\A\{\}|_accuracy"'),
        *(_timing(stage, name) for stage in ("prepare", "reference")),
    ]


def of_experiment(name: str) -> list[Place]:
    """What the stages of an experiment write."""
    analyses = {analysis.rpartition(".")[2] for analysis in registry.names("analyses")}
    picture = rf"(?:{'|'.join(sorted(analyses))})[^/]*\.png"
    return [
        Place(paths.model(name), r"model\.json", r"model\.(?:json|safetensors)"),
        Place(paths.snapshots(name), r"steps\.npy", r"[^/]+\.npy"),
        Place(paths.samples(name), r"images\.npy", r"[^/]+\.npy"),
        Place(paths.features(name), names=r"[^/]+/[^/]+/(?:(?:features|probabilities)\.npy|about\.json)"),
        *(_timing(stage, name) for stage in ("train", "sample", "evaluate")),
        Place(paths.prerequisites(name), r"\A\{"),
        Place(paths.scores(name), r'"how"'),
        Place(paths.metrics(name), r'"parameters"'),
        Place(paths.curves(name), r"\Astep\b"),
        Place(paths.score_curves(name), r"\Astep\b"),
        Place(paths.figures(name), picture, r"[^/]+\.png"),
    ]


def foreign(root: Path, places: Iterable[Place]) -> Iterator[list[Path]]:
    """The files of each place, relative to the root, that no stage has made, where there are some."""
    locked = root / _LOCK
    text = locked.read_text(encoding="utf-8", errors="replace") if locked.is_file() else ""
    known = set(re.findall(r"^ *(?:- )?path: (.+)$", text, re.MULTILINE))
    for place in places:
        if found := list(_foreign(root / place.path, place, place.path.as_posix() in known)):
            yield [file.relative_to(root) for file in found]


def refuse_foreign(root: Path, places: Iterable[Place], remedy: str) -> None:
    """Raises ExistsError if a place holds what no stage has made."""
    if found := [_counted(files) for files in foreign(root, places)]:
        raise ExistsError(f"{' and '.join(found)} would be deleted: a stage writes to that place. {remedy}")


def around(path: Path, root: Path, places: Iterable[Place]) -> Path | None:
    """The place that a path is in, or that is in the path; links are followed. None if there is none."""
    mine = Path(os.path.realpath(root / path))
    for place in places:
        other = Path(os.path.realpath(root / place.path))
        if mine == other or mine in other.parents or other in mine.parents:
            return place.path
    return None


def _counted(files: list[Path]) -> str:
    more = [f"{len(files) - _NAMED:,} more"] if len(files) > _NAMED else []
    return ", ".join([*map(str, files[:_NAMED]), *more])


def _timing(stage: str, name: str) -> Place:
    return Place(paths.timing(stage, name), r'"wall_sec"')


def _foreign(there: Path, place: Place, known: bool) -> Iterator[Path]:
    """The files at a place that no stage has made."""
    if not there.is_dir():
        if there.exists() and not (place.names is None and (known or _marked(there, place.mark))):
            yield there
        return
    files = [file for file in _files(there) if not re.fullmatch(_NOBODYS, file.relative_to(there).as_posix())]
    names = [file.relative_to(there).as_posix() for file in files]
    wrong = [file for file, name in zip(files, names, strict=True) if not re.fullmatch(place.names or "", name)]
    unmarked = place.mark and not known and not any(re.fullmatch(place.mark, name) for name in names)
    yield from files if unmarked else wrong


def _files(folder: Path) -> Iterator[Path]:
    """Everything below a folder but folders, in order; links are not followed."""
    for at, below, files in os.walk(folder):
        below.sort()
        links = [name for name in below if (Path(at) / name).is_symlink()]
        yield from (Path(at) / name for name in sorted([*files, *links]))


def _marked(file: Path, mark: str) -> bool:
    """Whether a file has its mark, or nothing in it."""
    with file.open("rb") as content:
        text = content.read(_MOST).decode("utf-8", "replace")
    return not text or re.search(mark, text) is not None
