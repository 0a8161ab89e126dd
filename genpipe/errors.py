"""Every error a person can meet.

GenpipeError                 one message, no traceback, exit status 1
├── ConfigError              something in YAML is wrong: file, line, key, what is allowed
├── UnknownName              a model, data set, metric or recipe that does not exist
│   └── AmbiguousName        one that two packages have
├── PartError                a file of an open folder that cannot be imported, or does not define one class
├── Unsuitable               a model that cannot be built for these images
├── DataError                a data set that cannot be read, or is not what it claims to be
├── WeightsMissing           published weights that could not be fetched, or are not what they claim to be
├── CheckpointError          a checkpoint or model file that is damaged or does not fit
├── NonFiniteImages          a model whose images are NaN or infinite
├── TrainingError            training cannot go on
│   ├── NonFiniteLoss        a loss, a gradient or a weight became NaN or infinite
│   ├── OutOfMemory          a batch does not fit
│   └── Stopped              a signal asked the training to stop; exit status 128 + signal
├── InputsChanged            what a stage reads was edited while it ran
├── Locked                   another process keeps what is needed for too long
├── ExistsError              something is already there and would be overwritten
└── UsageError               a command or a function called the wrong way; exit status 2

ModelWarning                 what whoever reads the results of a model should know; stages note it with their times

A message says what was given, what is allowed and what to do.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class GenpipeError(Exception):
    """Base of every error that is shown as one message instead of a traceback."""

    exit_status = 1


class Problem(NamedTuple):
    """One thing that is wrong in one file: where, which key, what to do."""

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ConfigError(GenpipeError):
    """All the problems found in the YAML files, one a line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda p: (p.file, p.line or 0))
        super().__init__("\n".join(map(str, self.problems)))


class UnknownName(GenpipeError):
    """A name that is not among those that exist, with the nearest one that is."""

    def __init__(self, given: str, kind: str, available: Iterable[str]) -> None:
        super().__init__(f"no {kind} is called '{shortened(given)}'.{nearest(given, available)}")


class AmbiguousName(UnknownName):
    """A name that two packages have."""

    def __init__(self, given: str, kind: str, qualified: Iterable[str]) -> None:
        GenpipeError.__init__(self, f"more than one {kind} is called '{given}': say which, {' or '.join(qualified)}.")


class PartError(GenpipeError):
    """A file of an open folder that cannot be imported, or does not define one class with a Config."""


class Unsuitable(GenpipeError):
    """A model that cannot be built for these images."""


class DataError(GenpipeError):
    """A data set that cannot be read, or is not what it claims to be."""


class WeightsMissing(GenpipeError):
    """Published weights could not be fetched, or are not what they claim to be."""


class CheckpointError(GenpipeError):
    """A checkpoint or model file that is damaged or does not fit its configuration."""


class NonFiniteImages(GenpipeError):
    """A model whose images are NaN or infinite."""

    def __init__(self, model: str, images: str, broken: int, of: int) -> None:
        super().__init__(
            f"{broken / of:.1%} of the {images} of {model} are NaN or infinite ({broken} of {of} looked at), which no "
            "pixel can show. Train it again with a lower optim.*.lr, or with optim.*.grad_clip_norm."
        )


class ModelWarning(UserWarning):
    """What whoever reads the results of a model should know."""


class TrainingError(GenpipeError):
    """Training cannot go on."""


class NonFiniteLoss(TrainingError):
    """A loss, a gradient or a weight became NaN or infinite."""

    def __init__(self, phase: str, step: int, what: str, value: float, checkpoint: str | None) -> None:
        kept = f"The last good checkpoint is {checkpoint}" if checkpoint else "No checkpoint was written before"
        super().__init__(
            f"step {step}: {what} of phase '{phase}' is {value}. {kept}. Lower optim.{phase}.lr, or set "
            f"optim.{phase}.grad_clip_norm, and run again; train.on_nan can do more than stop."
        )


class OutOfMemory(TrainingError):
    """A batch does not fit into the memory of the device."""

    def __init__(self, what: str, batch_images: int, device: str, memory_bytes: int, remedy: str) -> None:
        super().__init__(
            f"out of memory: {what} with batches of {batch_images} images needs more than "
            f"{device} has ({memory_bytes / 1e9:.1f} GB, which other programs may share). {remedy}"
        )


class Stopped(TrainingError):
    """A signal asked the training to stop, and it has."""

    def __init__(self, step: int, steps: int, signal: int, kept: bool) -> None:
        self.exit_status = 128 + signal
        then = f"`dvc repro` goes on from step {step}." if kept else "Nothing is kept; `dvc repro` begins again."
        super().__init__(f"stopped after step {step} of {steps}. {then}")


class InputsChanged(GenpipeError):
    """What a stage reads was edited while it ran."""

    def __init__(self, stage: str, moved: Iterable[str], remark: str = "") -> None:
        self.stage, self.moved, self.remark = stage, list(moved), remark
        shown = [*self.moved[:10], *([f"and {len(self.moved) - 10} more"] if len(self.moved) > 10 else [])]
        super().__init__(
            f"while {stage} ran, something that it reads has changed. Its result is not recorded:\n"
            + "".join(f"  {line}\n" for line in shown)
            + f"`dvc repro` runs it with what is there now.{remark and ' '}{remark}"
        )


class Locked(GenpipeError):
    """Another process keeps what is needed for longer than anybody should wait."""

    def __init__(self, file: Path, waited_sec: float, purpose: str) -> None:
        super().__init__(
            f"another process holds {file} ({purpose}), for {waited_sec:.0f} s at least. Wait until it has ended, or "
            "end it if it hangs; then run again."
        )


class ExistsError(GenpipeError):
    """Something is already there and would be overwritten."""


class UsageError(GenpipeError):
    """A command or a function was called the wrong way."""

    exit_status = 2


_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """Returns a text in which what steers a terminal, or turns the order of letters round, is written out: \\u001b.

    Lines and tabs stay. Inside of JSON the text means what it meant before.
    """
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def shortened(text: str, most: int = 120) -> str:
    """A text as it fits into a message: in one line, its middle left out if it is long."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most // 2]} … {line[-most // 2 :]}"


def nearest(given: str, available: Iterable[str]) -> str:
    """A sentence to append: the closest match, if any, and everything that is allowed."""
    from difflib import get_close_matches  # only where something is wrong: the stage `code` is to start fast

    names = sorted(available)
    match = get_close_matches(given[:200], names, n=1, cutoff=0.5)
    hint = f" Did you mean '{match[0]}'?" if match else ""
    return f"{hint} Available: {', '.join(names) or 'none'}."
