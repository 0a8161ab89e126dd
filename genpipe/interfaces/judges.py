"""The common base of metrics and analyses."""

from collections.abc import Mapping
from typing import Any, ClassVar

from genpipe.interfaces.dataset_info import Counts, DatasetInfo
from genpipe.schema import Strict


class Judge:
    """The common base of metrics and analyses: it tells what they need of the data before anything runs."""

    Config: ClassVar[type[Strict]]
    lowered: ClassVar[Mapping[str, Any]] = {}
    """Knobs that reduce the number of images needed, each with the value that needs the fewest."""

    def __init__(self, config: Any) -> None:
        self.config = config

    @property
    def least_images(self) -> Counts:
        """The smallest numbers of images with which it works."""
        return Counts()

    def too_few(self, images: Counts) -> str | None:
        """Returns an explanation and a remedy if there are too few images; None if there are enough."""
        short = images.short_of(self.least_images)
        if short is None:
            return None
        fewest = type(self)(self.config.model_copy(update=dict(self.lowered))).least_images
        knobs = " and ".join(f"`{knob}`" for knob in self.lowered)
        return f"it needs {short}; {'' if images.short_of(fewest) else f'lower {knobs}, or '}remove it."

    def unmet_requirement(self, info: DatasetInfo) -> str | None:
        """Returns what else is missing in the data, and a remedy; None if nothing is."""
        return None
