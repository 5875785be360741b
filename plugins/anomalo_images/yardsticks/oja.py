"""A single layer that learns the principal components of images online."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Floats, Mask, Run, param
from anomalo_images.pooling import ResidualModel

MEASURED = 200
"""Training images by which the variance along the first component is measured."""
SHRUNK = 1e-3
"""Codes of images with hidden pixels are penalised by this part of a component's mean square there."""

Matrix = NDArray[np.float64]


def sanger(weights: Matrix, rows: Matrix, rate: float) -> Matrix:
    """Return the weights [k, cells] after one step on some rows [n, cells].

    W + rate * mean over rows of (y x' - LT(y y') W), with y = W x and LT the lower triangle: each unit learns from what
    those before it leave, so that the rows of W become the principal components in their order.

    Reference: Oja (1982), A simplified neuron model as a principal component analyzer, Journal of Mathematical Biology
    15; Sanger (1989), Optimal unsupervised learning in a single-layer linear feedforward neural network, Neural
    Networks 2, equation 4.
    """
    codes = rows @ weights.T
    change: Matrix = codes.T @ rows - np.tril(codes.T @ codes) @ weights
    return weights + rate / len(rows) * change


@dataclass(kw_only=True)
class Oja(ResidualModel):
    """Expects an image to lie in the span of components that a single linear layer has learned image by image.

    The layer sees batches of images in random order, centred and scaled to a variance of about 1 along the first
    component, and learns by Sanger's extension of Oja's rule, without a gradient of any loss. A batch of larger
    variance moves it by less: the rule is unstable where the step times the variance exceeds 2.

    Reference: Oja (1982) and Sanger (1989); see `sanger`.
    """

    name = "oja"

    components: int = param(24, low=1, high=1000, help="Units of the layer: principal components.")
    epochs: int = param(40, low=1, high=100_000, help="Passes over the training images.")
    batch_size: int = param(32, low=1, high=100_000, help="Images in one step, at most.")
    learning_rate: float = param(0.5, low=1e-6, high=1.0, help="Step size at the start; it decays to 0.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Learn the mean and the components."""
        values, seen = data.flat()
        count = seen.sum(axis=0).clip(min=1)
        self.mean_ = np.where(seen, values, 0).sum(axis=0, dtype=np.float64) / count
        centred = np.where(seen, values - self.mean_, 0.0)
        length = _deviation(centred[run.rng.permutation(len(data))[:MEASURED]]) or 1.0
        first = run.rng.standard_normal((min(self.components, values.shape[1]), values.shape[1]))
        weights = first / np.linalg.norm(first, axis=1, keepdims=True)
        steps = -(-len(data) // self.batch_size)
        for epoch in range(self.epochs):
            for step, rows in enumerate(np.array_split(run.rng.permutation(len(data)), steps)):
                batch, left = centred[rows] / length, 1 - (epoch + step / steps) / self.epochs
                rate = self.learning_rate * left / max(1.0, _deviation(batch @ weights.T) ** 2)
                weights = sanger(weights, batch, rate)
            run.report(done=(epoch + 1) / self.epochs)
        self.weights_ = weights.astype(np.float32)
        self.learn_level(data, self.energies(data)[0])
        return self

    def expected(self, data: Encoded) -> Floats:
        """Return the points of the components' span that are nearest to what is seen of images."""
        values, seen = data.flat()
        rows = zip(values - self.mean_, seen, strict=True)
        expected = np.array([self._nearest(*row) for row in rows], dtype=np.float32)
        return expected.reshape(data.values.shape)

    def _nearest(self, centred: Matrix, seen: Mask) -> Matrix:
        whole = self.weights_.astype(np.float64)
        observed = whole * seen
        gram = observed @ whole.T
        penalty = 0.0 if seen.all() else SHRUNK * float(np.trace(gram)) / len(gram)
        code = np.linalg.solve(gram + (penalty + 1e-9) * np.eye(len(gram)), observed @ np.where(seen, centred, 0.0))
        return np.asarray(self.mean_ + code @ whole)


def _deviation(rows: Matrix) -> float:
    """Return the largest standard deviation of centred rows [n, cells] along any direction."""
    return float(np.linalg.norm(rows, 2) / np.sqrt(max(len(rows), 1)))
