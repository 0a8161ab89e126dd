"""Label accuracy: how often a classifier reads off an image the class that it was asked to show."""

from collections.abc import Mapping

from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.metrics import Metric, Score
from genpipe.metrics._shares import share_known, wilson
from genpipe.schema import Strict


class LabelAccuracy(Metric):
    """The share of images whose most probable class, to the classifier of real images, is the one asked for."""

    class Config(Strict): ...

    title = "Label accuracy"
    meaning = (
        "How many samples the classifier takes for the class that they were asked to show; the figure of real images "
        "is its accuracy on held-out ones. It says nothing of variety and little of looks: one clear picture a class "
        "scores 100 %, more than real images do, for the odd ones among those are misread."
    )
    lower_is_better = False
    input = "labels"
    by_step = True
    real_split = "none"
    gives_nothing = "it needs a class of each image, and a classifier that was trained on the data set"

    def scores(self, images: FeatureSet, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        if images.labels is None or images.probabilities is None:
            return {}
        share = share_known(images.probabilities, images.labels)
        return {f"label_accuracy_{extractor}": Score(share, interval=wilson(share, len(images.labels)))}
