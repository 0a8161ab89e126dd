"""What a model needs to be trained first: extractors of its data set, other experiments."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genpipe.interfaces.extractors import Extractor
from genpipe.interfaces.generative import Generative


@dataclass(frozen=True)
class Prerequisites:
    """What has to be finished before a training begins, by name."""

    extractors: tuple[str, ...] = ()
    """Of those that look at the model's own data set, as `reference` in params.yaml calls them."""
    experiments: tuple[str, ...] = ()
    """Others of the index, on images of the same shape."""


class HasPrerequisites(ABC):
    """Cannot train before something else is finished.

    Only its training waits, and is done again when what it waited for changes. A finished model is built from its
    `Config` and its weights alone: nothing is given to it again when it draws samples.
    """

    @classmethod
    @abstractmethod
    def prerequisites(cls, config: Any) -> Prerequisites:
        """What a model with these knobs needs; it is asked before anything is built or trained."""

    @abstractmethod
    def use(self, extractors: Mapping[str, Extractor], models: Mapping[str, Generative]) -> None:
        """Takes what `prerequisites` names; called once before the first step, after the model was built.

        The models are finished, in evaluation mode, frozen and on the device of the training; `phases` is also asked
        of a model to which nothing was given. The model's weights stay those of `__init__`: keep another model where
        PyTorch does not find it, as in a tuple, or copy its weights into modules of your own, which are then saved.
        Raises Unsuitable if what is given does not do.
        """
