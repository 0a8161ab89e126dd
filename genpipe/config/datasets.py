"""What every data set says of itself."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from genpipe.interfaces.spec import ImageSize, image_size
from genpipe.schema import Count, Strict


class Dataset(Strict):
    """What every data set says of itself; the rest is its source's."""

    source: str
    image_size: Annotated[ImageSize, BeforeValidator(image_size)]
    """The side of square images, or [height, width], in pixels."""
    resize_mode: Literal["pad", "crop", "random_crop", "stretch"] = "crop"
    channels: Literal[1, 3] | None = None
    """1 for gray, 3 for color; as the source has it, if not given."""
    max_images: Count | None = None
    """At most so many images of each split are taken, drawn by the seed."""
    horizontal_flip: bool = False
    """Whether half of the images of each training batch are mirrored."""
    extractors: Annotated[list[str], Field(min_length=1)] | None = None
    """Which extractors look at it, instead of `reference.extractors`; others than those have their default knobs."""
    extractor_steps: Annotated[int, Field(ge=0)] | None = None
    """How long extractors are trained on it, instead of `reference.train.steps`: few, to see that everything runs."""
    skip_broken: bool = False
    """Whether pictures that cannot be read are left out, instead of ending the preparation."""
    binarize: Literal["threshold", "sampled"] | None = None
    """Whether levels become 0 or 255: the nearer one, or 255 with the probability level / 255, drawn once."""
    exclude_classes: list[str | int] = []
    """The names of classes of which no image is trained on; their test images stay."""
    derive: dict[str, Any] = {}
    """Fields that are made of the images, by the name of a derivation, each with its knobs."""
    num_labels: Count | None = None
    """How many labels a model that learns from few may know: drawn by the seed, of all classes alike."""
