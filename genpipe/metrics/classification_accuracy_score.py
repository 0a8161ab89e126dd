"""Classification accuracy score: how well a classifier taught by samples knows real images (arXiv:1905.10887)."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import Field

from genpipe.interfaces.extractors import Extractor, FeatureSet, Real
from genpipe.interfaces.metrics import Metric, Score
from genpipe.metrics._shares import share_known, wilson
from genpipe.metrics._subsets import interval
from genpipe.schema import Strict


class ClassificationAccuracyScore(Metric):
    """Accuracy on held-out real images of new classifiers, trained on labeled samples (Ravuri & Vinyals 2019)."""

    class Config(Strict):
        seeds: Annotated[int, Field(ge=1)] = 1
        """Classifiers trained for each figure."""
        with_real: bool = True
        """Whether to train others on samples and real training images together."""

    title = "Classification accuracy score (CAS)"
    meaning = (
        "How many held-out real images a classifier knows that has seen nothing but the samples and the labels they "
        "were asked for; the figure of real images is that of one taught by the training images. It punishes missing "
        "and confused classes, but hardly poor pictures, and copies of the training images do well."
    )
    lower_is_better = False
    input = "labels"
    real_split = "test"
    gives_nothing = "it needs a class of each image, and a classifier that was trained on the data set"

    def scores(self, images: FeatureSet, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        # Held-out images are the exam. Where they stand in for samples, real training images do the teaching.
        own = real.training if images is real.held_out else images
        if real.train_extractor is None or any(e.labels is None for e in (own, real.training, real.held_out)):
            return {}
        found = {"cas_classifier": self._accuracy(real, seed, own)}
        if self.config.with_real and own is real.training:
            found["cas_with_real_classifier"] = found["cas_classifier"]
        elif self.config.with_real:
            found["cas_with_real_classifier"] = self._accuracy(real, seed, own, real.training)
        return found

    def _accuracy(self, real: Real, seed: int, *lessons: FeatureSet) -> Score:
        assert real.train_extractor is not None
        images = np.concatenate([lesson.images for lesson in lessons])
        labels = np.concatenate([np.asarray(lesson.labels) for lesson in lessons])
        seeds = range(seed, seed + self.config.seeds)
        shares = [accuracy(real.train_extractor(images, labels, s), real.held_out) for s in seeds]
        value = float(np.mean(shares))
        between = interval(value, shares) if len(shares) > 1 else wilson(value, len(real.held_out.images))
        return Score(value, {"classifiers": len(shares)}, between)


def accuracy(classifier: Extractor, exam: FeatureSet) -> float:
    """The share of images whose most probable class is their label."""
    probabilities = classifier.extract(exam.images).probabilities
    assert probabilities is not None, "a classifier gave no class probabilities"
    assert exam.labels is not None, "an exam has no answers"
    return share_known(probabilities, exam.labels)
