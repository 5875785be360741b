"""A detector of rows by their codes: how far a row's code is from the nearest codes of the training rows."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Floats, Scores, in_row_blocks

NEAREST = 3
"""Nearest codes that a row is compared with."""
REFERENCE = 2000
"""Codes that are kept, at most: a random sample."""
DIRECTIONS = 64
"""Principal components of the codes, at most."""
LEAST = 1e-3
"""No component's standard deviation is taken to be less than this."""
SAME = 1e-3
"""Codes nearer than this are the same: a row is not its own neighbour."""


@dataclass(frozen=True)
class CodeNeighbours:
    """The mean distance to the nearest other codes of a fitted model, in whitened principal components.

    In the code, what the columns share counts more than what each tells alone.

    Reference: Bergman, Cohen and Hoshen (2020), Deep nearest neighbor anomaly detection, arXiv 2002.10445; Angiulli and
    Pizzuti (2002) for the mean distance, as in `knn`.

    Attributes
    ----------
    embedder : model
        Gives the codes.
    centre : float64 [latent]
    directions : float64 [latent, components]
        Principal components, divided by their standard deviations.
    reference : float64 [m, components]
        Training rows.
    """

    embedder: Any
    centre: Scores
    directions: Scores
    reference: Scores

    @classmethod
    def fit(cls, embedder: Any, data: Encoded, rng: np.random.Generator) -> Self:
        """Keep the codes of the training rows, or of a random sample of them."""
        codes: Floats = embedder.embed(data)
        centre = codes.mean(axis=0, dtype=np.float64)
        variances, vectors = np.linalg.eigh(np.atleast_2d(np.cov(codes.T.astype(np.float64), bias=True)))
        largest = np.argsort(-variances, kind="stable")[:DIRECTIONS]
        directions = vectors[:, largest] / np.sqrt(np.maximum(variances[largest], LEAST**2))
        kept = codes[np.sort(rng.permutation(len(codes))[:REFERENCE])]
        return cls(embedder, centre, directions, in_row_blocks(kept - centre, lambda block: block @ directions))

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return all that was learned, by name."""
        return {name: getattr(self, name) for name in ("centre", "directions", "reference")}

    def score(self, data: Encoded) -> Scores:
        """Return the mean distances, float64 [n]; 0 where all training rows have the same code."""
        return in_row_blocks(self.embedder.embed(data) - self.centre, self._distances)

    def _distances(self, codes: Scores) -> Scores:
        rows = codes @ self.directions
        squares = np.square(rows).sum(axis=1)[:, None] + np.square(self.reference).sum(axis=1)
        squares = squares - 2 * (rows @ self.reference.T)
        squares[squares < SAME**2] = np.inf
        nearest = min(NEAREST, squares.shape[1])
        near = np.partition(squares, nearest - 1, axis=1)[:, :nearest]
        found = np.isfinite(near)
        total = np.sqrt(np.where(found, near, 0.0)).sum(axis=1)
        return np.asarray(total / np.maximum(found.sum(axis=1), 1))
