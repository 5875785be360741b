"""Kernel ridge regression on landmarks for one column: a smooth complement to trees."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Floats, Scores, in_row_blocks
from anomalo_auto.imputation.target_column import Target

LANDMARKS = 300
"""Training rows that serve as centres of kernel functions, at most."""
ROWS = 5000
"""Training rows that coefficients are fitted to, at most."""
REACH = 4.0
"""Inputs are clipped at this many standard deviations from their mean."""
WIDTH = 0.3
"""The kernel is exp(-WIDTH d / median d) with d the squared distance."""
PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0)
BLOCK = 64
"""Rows are predicted in blocks of this many: of wide tables few cells of a column are."""
TINY = 1e-6
"""Added to the landmarks' kernel, whose diagonal is 1."""


@dataclass(frozen=True)
class KernelRidge:
    """A Gaussian kernel's ridge regression, its penalty chosen by the exact leave-one-out error.

    Reference: Saunders, Gammerman and Vovk (1998), Ridge regression learning algorithm in dual variables, ICML;
    Williams and Seeger (2001), Using the Nystroem method to speed up kernel machines, NeurIPS (landmarks); Allen
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
        """Fit on inputs [m, width]; return also predictions of each row by the others, [m, size]."""
        from scipy.linalg import cholesky, solve_triangular

        centre, scale = inputs.mean(axis=0, dtype=np.float64), inputs.std(axis=0, dtype=np.float64)
        scale = np.where(scale > TINY, scale, 1.0)
        order = rng.permutation(len(inputs))
        fitted, others, chosen = np.sort(order[:ROWS]), np.sort(order[ROWS:]), order[:landmarks]
        carriers = _standardised(inputs[chosen], centre, scale)
        distance = _squared(_standardised(inputs[fitted], centre, scale), carriers)
        rate = WIDTH / max(float(np.median(distance)), TINY)
        kernel = np.exp(-rate * distance)
        among = kernel[np.searchsorted(fitted, chosen)] + TINY * np.eye(len(chosen))
        root = cholesky(among, lower=True)
        outputs = target.outputs()
        offset = outputs[fitted].mean(axis=0)
        features = solve_triangular(root, kernel.T, lower=True).T
        coefficients, left_out = _ridge(features, outputs[fitted] - offset)
        weights = solve_triangular(root, coefficients, lower=True, trans="T")
        learned = cls(centre, scale, carriers.astype(np.float32), weights, np.array([rate]), offset)
        held_out = np.empty((len(inputs), outputs.shape[1]), dtype=np.float32)
        held_out[fitted] = target.as_predictions(left_out + offset)
        if len(others):
            held_out[others] = learned.predict(inputs[others], target)
        return learned, held_out

    def predict(self, inputs: Floats, target: Target) -> Floats:
        """Return predictions, float32 [k, size]."""
        # In float32 some processors' kernels round a row by its position in the block, in float64 none seen does.
        landmarks = self.landmarks.astype(np.float64)

        def outputs(block: Scores) -> Scores:
            kernel = np.exp(-self.rate[0] * _squared(_standardised(block, self.centre, self.scale), landmarks))
            return np.asarray(kernel @ self.weights)

        return target.as_predictions(in_row_blocks(inputs.astype(np.float64), outputs, BLOCK) + self.offset)


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
    squared, pull = np.square(rotated), rotated.T @ outputs
    best, chosen = np.inf, (np.zeros((features.shape[1], outputs.shape[1])), outputs)
    for penalty in PENALTIES:
        shrunk = 1 / (np.maximum(eigenvalues, 0) + penalty)
        residual = outputs - rotated @ (shrunk[:, None] * pull)
        leverage = np.minimum(squared @ shrunk, 1 - TINY)
        left_out = residual / (1 - leverage)[:, None]
        error = float(np.square(left_out).mean())
        if error < best:
            best, chosen = error, (vectors @ (shrunk[:, None] * pull), outputs - left_out)
    return chosen
