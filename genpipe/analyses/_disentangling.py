"""How far each number of a code stands for one factor, and each factor for one number."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from genpipe.analyses._factors import binned, columns

Factors = Mapping[str, np.ndarray]


def mutual_information(a: Int[np.ndarray, "n"], b: Int[np.ndarray, "n"]) -> float:
    """I(a; b) of the empirical distribution of whole numbers from 0, in nats."""
    joint = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(joint, (a, b), 1 / len(a))
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    hit = joint > 0
    return float((joint[hit] * np.log(joint[hit] / independent[hit])).sum())


def mig(z: Float[np.ndarray, "n d"], factors: Factors, bins: int) -> dict[str, float]:
    """The gap (I(z₁; v) − I(z₂; v)) / H(v) of each factor v that varies, z₁ and z₂ the two codes that tell most of it.

    Chen et al. 2018 (arXiv:1802.04942), eq. 6; the information of codes in equally wide bins (Locatello et al. 2019,
    arXiv:1811.12359, appendix B.3). A single code has no second: then the second's information is 0.
    """
    codes = [binned(column, bins) for column in z.T]
    gaps = {}
    for name, values in factors.items():
        v = binned(values, bins)
        told = sorted((mutual_information(code, v) for code in codes), reverse=True)
        if entropy := mutual_information(v, v):
            gaps[name] = (told[0] - (told[1] if len(told) > 1 else 0.0)) / entropy
    return gaps


def sap(z: Float[np.ndarray, "n d"], factors: Factors, seed: int) -> dict[str, float]:
    """The gap between the two codes that predict each factor best (Kumar et al. 2018, arXiv:1711.00848, section 3).

    Of a continuous factor the share of its variance that is linear in the code; of a category the accuracy of a linear
    classifier of the code, both by the images it was fitted to.
    """
    from sklearn.linear_model import LogisticRegression

    gaps = {}
    x = (z - z.mean(0)) / np.maximum(z.std(0), 1e-12)
    for name, values in factors.items():
        if values.dtype.kind in "biu":
            fits = [
                LogisticRegression(random_state=seed).fit(c[:, None], values).score(c[:, None], values) for c in x.T
            ]
        else:
            fits = list(_linear(x, columns(values)))
        best = sorted(fits, reverse=True)
        gaps[name] = float(best[0] - (best[1] if len(best) > 1 else 0.0))
    return gaps


def _linear(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "d"]:
    """The share of the variance of y, all columns together, that each standardized column of x explains alone."""
    centered = y - y.mean(0)
    slopes = x.T @ centered / len(x)
    return np.asarray(np.square(slopes).sum(1) / max(centered.var(0).sum(), 1e-12))


def importances(
    z: Float[np.ndarray, "n d"], factors: Factors, trees: int, seed: int
) -> tuple[Float[np.ndarray, "d k"], dict[str, float]]:
    """How much each code counts in a forest that predicts each factor, a column a factor, and R² on the other half."""
    from sklearn.ensemble import RandomForestRegressor

    half = len(z) // 2
    weights, informed = [], {}
    for name, values in factors.items():
        y = columns(values)
        y = y[:, 0] if y.shape[1] == 1 else y
        forest = RandomForestRegressor(trees, min_samples_leaf=3, random_state=seed).fit(z[:half], y[:half])
        informed[name] = float(forest.score(z[half:], y[half:]))
        weights.append(forest.feature_importances_)
    return np.stack(weights, axis=1), informed


def dci(weights: Float[np.ndarray, "d k"]) -> tuple[float, float]:
    """Disentanglement and completeness of importances (Eastwood & Williams 2018, section 2), from 0 to 1.

    Codes are weighed by their share of all importance, and so are factors.
    """
    R = weights / weights.sum()
    return _concentrated(R), _concentrated(R.T)


def _concentrated(R: Float[np.ndarray, "d k"]) -> float:
    """1 − the entropy of each row to the base of its length, weighed by the sums of the rows."""
    share = R.sum(1)
    P = R[share > 0] / share[share > 0, None]
    if R.shape[1] == 1:
        return 1.0
    entropy = -(P * np.log(np.where(P > 0, P, 1))).sum(1) / np.log(R.shape[1])
    return float((share[share > 0] * (1 - entropy)).sum())
