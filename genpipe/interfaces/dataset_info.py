"""What a data set says of itself before any of its images is read."""

from dataclasses import dataclass

from genpipe.interfaces.spec import DataSpec


@dataclass(frozen=True)
class Counts:
    """Numbers of images: so many there are, or so many there have to be. None: that is not known, or any will do."""

    training: int | None = None
    held_out: int | None = None
    samples: int | None = None

    def short_of(self, least: "Counts") -> str | None:
        """What has to be there and is not, in words; None if nothing."""
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
    """What a data set says of itself before any of its images is read."""

    spec: DataSpec
    factors: tuple[str, ...] | None = ()
    """The names of what is a number an image; None where only reading tells."""
    fields: tuple[str, ...] | None = ()
    """The names of all that is known of each image, the factors among them; None where only reading tells."""
    images: Counts = Counts()
    """How many there are at most; samples, as many as are to be drawn."""
    training_by_class: tuple[int, ...] | None = None
    """How many training images each class has; None where only reading tells."""
    code_numbers: int | None = None
    """How many numbers a code of the model has, where its knobs say so."""
