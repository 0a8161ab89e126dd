"""Splitting images that come in one piece."""

from collections.abc import Mapping

import numpy as np

from genpipe.interfaces import Split


def stratified(images: np.ndarray, labels: np.ndarray, test_images: int, seed: int) -> Mapping[str, Split]:
    """Shuffled "train" and "test" splits with equal shares of each class; decided by the seed alone."""
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(np.arange(len(labels)), test_size=test_images, stratify=labels, random_state=seed)
    return {name: Split([images[rows]], labels[rows], len(rows)) for name, rows in (("train", train), ("test", test))}
