"""What metrics and analyses have in common."""

from collections.abc import Mapping
from typing import Any, ClassVar

from genpipe.interfaces.dataset_info import Counts, DatasetInfo
from genpipe.schema import Strict


class Judge:
    """What metrics and analyses have in common: they say what they need of the data before anything runs."""

    Config: ClassVar[type[Strict]]
    lowered: ClassVar[Mapping[str, Any]] = {}
    """Knobs by which fewer images will do, each with the value that asks for the fewest."""

    def __init__(self, config: Any) -> None:
        self.config = config

    @property
    def least_images(self) -> Counts:
        """The fewest images of each kind with which it finds anything."""
        return Counts()

    def too_few(self, images: Counts) -> str | None:
        """What to say if there are too few images, and what to do; None if there are enough."""
        short = images.short_of(self.least_images)
        if short is None:
            return None
        fewest = type(self)(self.config.model_copy(update=dict(self.lowered))).least_images
        knobs = " and ".join(f"`{knob}`" for knob in self.lowered)
        return f"it needs {short}; {'' if images.short_of(fewest) else f'lower {knobs}, or '}remove it."

    def unmet_requirement(self, info: DatasetInfo) -> str | None:
        """What else it needs and the data have not, and what to do; None if nothing."""
        return None
