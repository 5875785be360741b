"""Kernel ridge regression on landmarks for one column: a smooth complement to trees."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Floats, Scores, in_row_blocks
from anomalo_auto.imputation.target_column import Target

LANDMARKS = 1000
"""Training rows that serve as centres of kernel functions, at most."""
REACH = 4.0
"""Inputs are clipped at this many standard deviations from their mean."""
WIDTH = 0.3
"""The kernel is exp(-WIDTH d / median d) with d the squared distance."""
PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0)
TINY = 1e-6
"""Directions with a smaller share of the kernel's largest eigenvalue are left out."""


@dataclass(frozen=True)
class KernelRidge:
    """A Gaussian kernel's ridge regression, its penalty chosen by the exact leave-one-out error.

    Reference: Saunders, Gammerman and Vovk (1998), Ridge regression learning algorithm in dual variables, ICML;
    Smola and Schoelkopf (2000), Sparse greedy matrix approximation for machine learning, ICML (landmarks); Allen
    (1974), The relationship between variable selection and data augmentation, Technometrics 16 (leave-one-out).

    Attributes
    ----------
    centre, scale : float64 [width]
        Mean and standard deviation of each input.
    landmarks : float32 [m, width]
        Standardised rows.
    weights : float64 [m, size]
        Coefficients of the landmarks' kernel functions.
    rate : float64 [1]
        The factor of the squared distance in the exponent.
    offset : float64 [size]
        The outputs' means.
    """

    centre: Scores
    scale: Scores
    landmarks: Floats
    weights: Scores
    rate: Scores
    offset: Scores

    @classmethod
    def fit(
        cls, inputs: Floats, target: Target, rng: np.random.Generator, landmarks: int = LANDMARKS
    ) -> tuple[Self, Floats]:
        """Fit on inputs [m, width]; return also the leave-one-out predictions, [m, size]."""
        centre, scale = inputs.mean(axis=0, dtype=np.float64), inputs.std(axis=0, dtype=np.float64)
        scale = np.where(scale > TINY, scale, 1.0)
        rows = _standardised(inputs, centre, scale)
        chosen = np.sort(rng.permutation(len(rows))[:landmarks])
        carriers = rows[chosen]
        distance = _squared(rows, carriers)
        rate = WIDTH / max(float(np.median(distance)), TINY)
        kernel = np.exp(-rate * distance)
        eigenvalues, vectors = np.linalg.eigh(kernel[chosen])
        kept = eigenvalues > TINY * eigenvalues[-1]
        root = vectors[:, kept] / np.sqrt(eigenvalues[kept])
        outputs = target.outputs()
        offset = outputs.mean(axis=0)
        coefficients, held = _ridge(kernel @ root, outputs - offset)
        fitted = cls(centre, scale, carriers.astype(np.float32), root @ coefficients, np.array([rate]), offset)
        return fitted, target.as_predictions(held + offset)

    def predict(self, inputs: Floats, target: Target) -> Floats:
        """Return predictions, float32 [k, size]."""
        # In float32 some processors' kernels round a row by its position in the block, in float64 none seen does.
        landmarks = self.landmarks.astype(np.float64)

        def outputs(block: Scores) -> Scores:
            kernel = np.exp(-self.rate[0] * _squared(_standardised(block, self.centre, self.scale), landmarks))
            return np.asarray(kernel @ self.weights)

        return target.as_predictions(in_row_blocks(inputs.astype(np.float64), outputs) + self.offset)


def _standardised(inputs: NDArray[np.floating], centre: Scores, scale: Scores) -> Scores:
    standardised: Scores = np.clip((inputs - centre) / scale, -REACH, REACH).astype(np.float32).astype(np.float64)
    return standardised


def _squared(rows: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """Return squared distances [n, m], as precise as the rows are."""
    squares = np.square(rows).sum(axis=1)[:, None] + np.square(others).sum(axis=1)
    distances: NDArray[Any] = np.maximum(squares - 2 * (rows @ others.T), 0)
    return distances


def _ridge(features: Scores, outputs: Scores) -> tuple[Scores, Scores]:
    """Return the coefficients of the best penalty, and the leave-one-out predictions."""
    eigenvalues, vectors = np.linalg.eigh(features.T @ features)
    rotated = features @ vectors
    pull = rotated.T @ outputs
    best, chosen = np.inf, (np.zeros((features.shape[1], outputs.shape[1])), outputs)
    for penalty in PENALTIES:
        shrunk = 1 / (np.maximum(eigenvalues, 0) + penalty)
        residual = outputs - rotated @ (shrunk[:, None] * pull)
        leverage = np.minimum(np.square(rotated) @ shrunk, 1 - TINY)
        left_out = residual / (1 - leverage)[:, None]
        error = float(np.square(left_out).mean())
        if error < best:
            best, chosen = error, (vectors @ (shrunk[:, None] * pull), outputs - left_out)
    return chosen
