"""Synthetic rows between training rows that lie near each other in an autoencoder's latent space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.errors import ParameterError
from anomalo.plugin import CanEmbed, Encoded, Model, Run, param


@dataclass(kw_only=True)
class LatentInterpolation(Model):
    """Moves a training row towards a neighbour in the latent space, and decodes the path.

    With codes c of a row x and c' of one of its nearest neighbours x', and t uniform between 0 and 1, a number becomes

        x + decode(c + t (c' - c)) - decode(c),

    so that it keeps what the code does not represent; categories and missing values are those of the nearer end. Only
    rows that agree with the given categories are moved, and those near to the given numbers; where none agrees, all
    are.

    Reference: DeVries and Taylor (2017), Dataset augmentation in feature space, arXiv:1702.05538; Chawla et al. (2002),
    SMOTE, JAIR 16.

    Examples
    --------
    >>> LatentInterpolation(neighbours=3).params()["model"]
    'residual'
    """

    name = "latent"

    model: str = param("residual", help="The name of the autoencoder whose latent space is used.")
    neighbours: int = param(5, low=1, high=1000, help="Rows move towards one of this many nearest ones.")
    epochs: int = param(0, low=0, high=100_000, help="Passes of the autoencoder over the rows; 0 for its default.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Fit the autoencoder, and keep the rows and their codes.

        Raises
        ------
        ParameterError
            The model does not embed.
        """
        model = run.create(self.model, **({"epochs": self.epochs} if self.epochs else {}))
        if not isinstance(model, CanEmbed) or not hasattr(model, "decode"):
            raise ParameterError(f"model={self.model!r}: it has no latent space; expected an autoencoder's name")
        self.autoencoder_ = model.fit(data, run)
        self.values_, self.observed_ = data.values.copy(), data.observed.copy()
        self.codes_ = model.embed(data)
        self.decoded_ = model.decode(self.codes_)
        return self

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return rows on the path between training rows, with the cells of `given` as they are."""
        start, end = self._pairs(given, run.rng)
        share = run.rng.random((len(given), 1), dtype=np.float32)
        codes = self.codes_[start] + share * (self.codes_[end] - self.codes_[start])
        moved = self.values_[start] + self.autoencoder_.decode(codes) - self.decoded_[start]
        near = np.where(share < 0.5, start[:, None], end[:, None])
        at = np.arange(given.values.shape[1])
        values, observed = self.values_[near, at], self.observed_[near, at]
        numbers = np.isin(at, given.layout.numbers) & self.observed_[start]
        low = np.array([block.low if block.kind == "number" else 0 for block in given.layout.blocks], dtype=np.float32)
        high = np.array([block.high for block in given.layout.blocks], dtype=np.float32)
        values = np.where(numbers, np.clip(moved, low, np.maximum(low, high)), values)
        seen = observed | given.observed
        return Encoded(np.where(given.observed, given.values, np.where(seen, values, 0)), seen, given.layout)

    def _pairs(self, given: Encoded, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return for each synthetic row the training row to start at and the one to go towards, each [n]."""
        categories = given.layout.categories
        conditions = np.where(given.observed[:, categories], given.values[:, categories], -1)
        _, first, which = np.unique(conditions, axis=0, return_index=True, return_inverse=True)
        start = np.empty(len(given), dtype=np.intp)
        end = np.empty_like(start)
        for group, row in enumerate(first):
            members = np.flatnonzero(which.ravel() == group)
            known = categories[given.observed[row, categories]]
            agree = (self.values_[:, known] == given.values[row, known]).all(axis=1)
            rows = np.flatnonzero(agree) if agree.any() else np.arange(len(self.values_))
            start[members] = rows[self._starts(given.take(members), rows, rng)]
            end[members] = self._ends(start[members], rows, rng)
        return start, end

    def _starts(self, given: Encoded, rows: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
        """Return positions in `rows` [m]: any, or one of those nearest to the given numbers."""
        numbers = given.layout.numbers
        if not given.observed[:, numbers].any():
            return rng.integers(len(rows), size=len(given))
        seen = given.observed[:, numbers]
        nearest = min(self.neighbours, len(rows))
        chosen = rng.integers(nearest, size=len(given))
        found = np.empty(len(given), dtype=np.intp)
        for at, (cells, known) in enumerate(zip(given.values[:, numbers], seen, strict=True)):
            distance = np.square(self.values_[np.ix_(rows, numbers[known])] - cells[known]).sum(axis=1)
            found[at] = np.argpartition(distance, chosen[at])[chosen[at]]
        return found

    def _ends(self, start: NDArray[np.intp], rows: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
        """Return one of the nearest rows of each start, itself left out where there is another."""
        from sklearn.neighbors import NearestNeighbors

        count = min(self.neighbours + 1, len(rows))
        search = NearestNeighbors(n_neighbors=count).fit(self.codes_[rows])
        positions = search.kneighbors(self.codes_[start], return_distance=False)
        chosen = positions[np.arange(len(start)), rng.integers(min(1, count - 1), count, size=len(start))]
        ends: NDArray[np.intp] = rows[chosen]
        return ends

    def use(self, device: str) -> None:
        """Do inference on this device from now on."""
        self.autoencoder_.use(device)
