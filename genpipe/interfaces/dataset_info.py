"""Facts about a data set that are known before its images are read."""

from dataclasses import dataclass

from genpipe.interfaces.spec import DataSpec


@dataclass(frozen=True)
class Counts:
    """Numbers of images that exist, or that are required. None: not known, or no requirement."""

    training: int | None = None
    held_out: int | None = None
    samples: int | None = None

    def short_of(self, least: "Counts") -> str | None:
        """Returns what is missing, in words; None if nothing is."""
        kinds = {"training": "training images", "held_out": "held-out images", "samples": "samples"}
        pairs = {kind: (getattr(least, kind), getattr(self, kind)) for kind in kinds}
        short = [
            f"{needed:,} {kinds[kind]}, and there {f'are {there:,}' if there != 1 else 'is 1'}"
            for kind, (needed, there) in pairs.items()
            if needed is not None and there is not None and there < needed
        ]
        return " and ".join(short) or None


@dataclass(frozen=True)
class DatasetInfo:
    """Facts about a data set that are known before its images are read."""

    spec: DataSpec
    images: Counts = Counts()
    """The numbers of images at most; for samples, the number to generate."""
    training_by_class: tuple[int, ...] | None = None
    """The number of training images of each class; None if only reading the data tells."""
    code_numbers: int | None = None
    """The length of the model's codes, if its knobs contain it."""
