from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from genpipe.analyses._linear import l2_svm, validated
from genpipe.analyses._patches import contrasted, dictionary
from genpipe.analyses.feature_learning import FeatureLearning
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.dataset_info import DatasetInfo
from genpipe.interfaces.features import HasFeatures
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Images
from genpipe.nn.layers import layer_outputs

CPU = torch.device("cpu")
WAYS = ("learned", "kmeans", "pixels")


class Parity(Generative, HasFeatures):
    """Its one feature is what no line of pixels tells: the product of the signs of the upper left two."""

    class Config: ...

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.weight = nn.Parameter(torch.zeros(1))

    def phases(self) -> list:
        return []

    def features(self, x: Images) -> list[Tensor]:
        return [x[:, :, :2, :2].sign().prod(3).prod(2)[:, :, None, None].expand(-1, -1, 8, 8), x.new_zeros(len(x), 2)]


def context(make: Any, n: int = 300) -> AnalysisContext:
    """Images of noise, whose class is Parity's feature."""
    images = np.random.default_rng(0).integers(0, 256, (n, 1, 8, 8), dtype=np.uint8)
    labels = (np.where(images[:, 0, :2, :2] > 127, 1, -1).prod((1, 2)) > 0).astype(np.int64)
    made, half = make(images[:5], images[: n // 2], images[n // 2 :]), n // 2
    real = replace(
        made.real,
        training=replace(made.real.training, labels=labels[:half]),
        held_out=replace(made.real.held_out, labels=labels[half:]),
    )
    return replace(made, model=Parity(), real=real)


def test_features_are_compared_with_pixels_at_few_and_at_all_labels(make: Any) -> None:
    knobs = FeatureLearning.Config(labels_a_class=[5, 20, 500], seeds=2, kmeans_features=8, patch_pixels=3)
    found = FeatureLearning(knobs).run(context(make))
    names = [f"svm_accuracy_{way}{few}" for way in WAYS for few in ("_5_a_class", "_20_a_class", "")]
    assert list(found.numbers) == names, "of 500 a class there are not enough"
    assert [found.numbers[f"svm_accuracy_learned{few}"] for few in ("_5_a_class", "_20_a_class", "")] == [1, 1, 1]
    assert max(found.numbers[f"svm_accuracy_{way}"] for way in ("kmeans", "pixels")) < 0.65
    assert found.pictures["feature_learning"][0].shape == (640, 960, 3)
    assert "150 labels" in found.pictures["feature_learning"][1]
    assert FeatureLearning(knobs).run(context(make)).numbers == found.numbers


def test_what_it_needs_is_said(make: Any) -> None:
    analysis = FeatureLearning(FeatureLearning.Config(patch_pixels=6))
    assert "two classes" in str(analysis.unmet_requirement(DatasetInfo(DataSpec(1, 8, 8))))
    assert "patch_pixels is 6, and the images have 4×4" in str(
        analysis.unmet_requirement(DatasetInfo(DataSpec(1, 4, 4, ("a", "b"))))
    )
    assert analysis.unmet_requirement(DatasetInfo(DataSpec(1, 8, 8, ("a", "b")))) is None
    unlabeled = context(make)
    unlabeled = replace(unlabeled, real=make(*(np.zeros((3, 1, 8, 8), np.uint8),) * 3).real)
    with pytest.raises(Unsuitable, match="labeled data"):
        analysis.run(unlabeled)


def blobs(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=n)
    return (rng.normal(size=(n, 5)) + 1.2 * np.eye(5)[labels]).astype(np.float32), labels


@pytest.mark.parametrize("error_weight", [1e-3, 1e-1, 10.0])
def test_the_svm_is_scikit_learns(error_weight: float) -> None:
    rows, labels = blobs()
    ours = l2_svm(rows, labels, error_weight, CPU)
    standardized = (rows - rows.mean(0)) / rows.std(0)
    theirs = LinearSVC(C=error_weight, tol=1e-8, max_iter=100_000).fit(standardized, labels)
    weights = np.vstack([theirs.coef_.T, theirs.intercept_])
    assert ours.weights.numpy() == pytest.approx(weights, rel=1e-3, abs=1e-4)
    assert ours.accuracy(rows, labels) == theirs.score(standardized, labels)


def test_errors_weigh_as_much_as_serves_unseen_rows() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=500)
    shown = np.where(rng.random(500) < 0.25, 1 - labels, labels)  # every fourth label is wrong
    rows = (rng.normal(size=(500, 60)) + labels[:, None] * 0.4).astype(np.float32)
    few = [l2_svm(rows[:100], shown[:100], weight, CPU) for weight in (1e-4, 1e3)]
    chosen = validated(rows[:100], shown[:100], [1e3, 1e-4], CPU)
    assert torch.equal(chosen.weights, few[0].weights)
    assert few[0].accuracy(rows[100:], labels[100:]) > few[1].accuracy(rows[100:], labels[100:]) + 0.1


def test_features_of_patches_are_those_of_a_plain_loop() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 2, 7, 7), dtype=np.uint8)
    means = dictionary(images, 3, 5, 0, CPU)
    assert means.means.shape == (5, 2 * 9)
    x, near = images[0] / 127.5 - 1, np.zeros((5, 5, 5))
    for i in range(5):
        for j in range(5):
            patch = x[:, i : i + 3, j : j + 3].reshape(-1)
            patch = (patch - patch.mean()) / np.sqrt(patch.var(ddof=1) + 10 / 127.5**2)
            whitened = (patch - means.mean.numpy()) @ means.whitening.numpy()
            far = np.linalg.norm(whitened - means.means.numpy(), axis=1)
            near[:, i, j] = np.maximum(0, far.mean() - far)
    quarters = [
        near[:, rows, columns].mean((1, 2)) for rows in (slice(3), slice(2, 5)) for columns in (slice(3), slice(2, 5))
    ]
    features = means.features(images, CPU)[0]
    assert features == pytest.approx(np.stack(quarters, axis=1).reshape(-1), rel=1e-3, abs=1e-5)


def test_means_of_patches_are_the_same_on_any_number_of_threads() -> None:
    images = np.random.default_rng(0).integers(0, 256, (300, 1, 12, 12), dtype=np.uint8)
    before, found = torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        with threadpool_limits(threads):
            found.append(dictionary(images, 4, 64, 0, CPU))
    torch.set_num_threads(before)
    assert torch.equal(found[0].means, found[1].means)
    assert torch.equal(found[0].whitening, found[1].whitening)


def test_whitening_leaves_variances_alike_where_there_is_contrast() -> None:
    rng = np.random.default_rng(0)
    images = np.repeat(rng.integers(0, 256, (500, 1, 8, 4), dtype=np.uint8), 2, axis=3)  # neighbors are alike
    means = dictionary(images, 2, 4, 0, CPU)
    windows = np.lib.stride_tricks.sliding_window_view(images, (2, 2), axis=(2, 3)).transpose(0, 2, 3, 1, 4, 5)
    patches = contrasted(torch.from_numpy(windows.reshape(-1, 4) / 127.5 - 1).float())
    before, after = (
        torch.linalg.eigvalsh(rows.T.cov()) for rows in (patches, (patches - means.mean) @ means.whitening)
    )
    assert before[3] > 2 * before[1]
    assert after.tolist() == pytest.approx((before / (before + 0.1)).tolist(), abs=0.02)


def test_layers_put_out_the_last_maps_of_each_size_without_the_answer() -> None:
    net = nn.Sequential(
        nn.Identity(), nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 4, 2, stride=2), nn.Flatten(),
        nn.utils.parametrizations.spectral_norm(nn.Linear(64, 7)), nn.Tanh(), nn.Linear(7, 1),
    )  # fmt: skip
    x = torch.randn(5, 1, 8, 8)
    net.eval()  # in training the spectral norm moves
    found = layer_outputs(net, lambda: net(x))
    assert [tuple(one.shape) for one in found] == [(5, 3, 8, 8), (5, 4, 4, 4), (5, 64), (5, 7)]
    assert torch.equal(found[0], net[:3](x))
    assert torch.equal(found[3], net[:7](x))
    assert not any(layer._forward_hooks for layer in net.modules())
