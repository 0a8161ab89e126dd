import numpy as np
import pytest
import torch
from sklearn import decomposition
from sklearn.datasets import load_digits

from genpipe.dataset.batches import BatchLoader
from genpipe.interfaces.spec import DataSpec
from genpipe.models.pca import PCA


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return np.rint(load_digits().images[:, None] * (255 / 16)).astype(np.uint8)


def fitted(images: np.ndarray, latent_dim: int) -> PCA:
    model = PCA(PCA.Config(latent_dim=latent_dim), DataSpec(1, 8, 8))
    model.on_train_end(BatchLoader(images, None, size=100, seed=0, device=torch.device("cpu")).in_order())
    return model


def as_rows(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1) * (2 / 255) - 1


def test_equals_scikit_learn_up_to_sign(digits: np.ndarray) -> None:
    ours, theirs = fitted(digits, 10), decomposition.PCA(10, svd_solver="full").fit(as_rows(digits))
    signs = np.sign((ours.components.numpy() * theirs.components_).sum(1))
    np.testing.assert_allclose(ours.components.numpy() * signs[:, None], theirs.components_, atol=1e-4)
    np.testing.assert_allclose(ours.mean.numpy(), theirs.mean_, atol=1e-6)
    n = len(digits)
    np.testing.assert_allclose(ours.variances.numpy() * n / (n - 1), theirs.explained_variance_, rtol=1e-4)


def test_the_covariance_of_the_codes_is_diagonal_and_sorted(digits: np.ndarray) -> None:
    model = fitted(digits, 10)
    codes = model.encode(torch.from_numpy(as_rows(digits)).float().unflatten(1, (1, 8, 8)))
    covariance = np.cov(codes.numpy().T, ddof=0)
    off_diagonal = covariance - np.diag(np.diag(covariance))
    assert np.abs(off_diagonal).max() < 1e-3 * covariance[0, 0]
    assert (np.diff(np.diag(covariance)) <= 0).all()


def test_the_error_falls_with_the_number_of_codes_and_is_zero_with_all(digits: np.ndarray) -> None:
    x = torch.from_numpy(as_rows(digits)).float().unflatten(1, (1, 8, 8))
    errors = [float((x - fitted(digits, n).reconstruct(x)).square().sum((1, 2, 3)).mean()) for n in (1, 4, 16, 64)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-6


def test_samples_have_the_mean_and_covariance_of_the_model(digits: np.ndarray) -> None:
    model = fitted(digits, 5)
    codes = model.prior(20000, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(codes.var(0).numpy(), model.variances.numpy(), rtol=0.05)
