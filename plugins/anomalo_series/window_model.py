"""What models of series share: from how anomalous each cell of a window is to the window's score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from anomalo.plugin import Cells, Encoded, Filled, Floats, Mask, Model, Run, Scores, param
from anomalo_series.channels import Channels, Energies

BLOCK = 256
"""Windows are looked at in blocks of exactly this many, the last one filled up: none depends on those beside it."""
LEVELLED = 2000
"""Training windows by which the usual energy is learned, at most."""
MOST = 1e18
"""Energies count up to so many times the usual: to the highest power, too, scores are finite."""


@dataclass(kw_only=True)
class WindowModel(Model):
    """Scores windows by the energies of their cells; a subclass gives these, and what is expected.

    A window's energy is the mean over its cells, and its score (energy / the usual one) to a power. Cells that are not
    observed count as usual ones: the mean of a few cells, as at the start of a series, is often high by chance.
    With a high power the mean score of the windows that contain a point is near that of the most anomalous one; it
    changes no order among windows. A point's score is the root of this mean: so many times the usual energy. Each
    cell's part of the score is its part of the energy.

    Reference for the generalised mean as pooling: Boureau, Ponce and LeCun (2010), A theoretical analysis of feature
    pooling in visual recognition, ICML.
    """

    modalities = ("series",)
    score_unit = "times the usual"

    power: float = param(4.0, low=0.25, high=16.0, help="How much more the most anomalous windows count than others.")

    level_ = 1.0

    @property
    def score_power(self) -> float:
        """The power of the energy that scores of windows are."""
        return self.power

    def energies(self, x: Floats, seen: Mask) -> tuple[Energies, Floats]:
        """Return the energies of the cells of one block of windows, 0 where not observed, and what is expected of them.

        Parameters
        ----------
        x : float32 [BLOCK, T, columns]
            Numbers, and indicators of categories; 0 where not observed.
        seen : bool [BLOCK, T, columns]
        """
        raise NotImplementedError

    def explain(self, data: Encoded) -> Cells:
        """Return each cell's part of its window's score, and what is expected of it."""
        parts = list(self._parts(data))
        return Cells(np.concatenate([part for part, _ in parts]), np.concatenate([expected for _, expected in parts]))

    def score(self, data: Encoded) -> Scores:
        """Return the sum of each window's parts, float64 [n]."""
        parts = [part.sum(axis=(1, 2)) for part, _ in self._parts(data)]
        return np.concatenate(parts)

    def learn_level(self, data: Encoded, run: Run) -> None:
        """Learn the mean energy of windows, by a sample of those of training."""
        self.level_ = 1.0
        some = np.sort(run.rng.permutation(len(data))[:LEVELLED])
        blocks = [_mean(energies, part.observed) for part, energies, _ in self._blocks(data.take(some))]
        mean = float(np.concatenate(blocks).mean())
        self.level_ = mean if mean > 0 else 1.0

    def _parts(self, data: Encoded) -> Iterator[tuple[Energies, Floats]]:
        for part, energies, expected in self._blocks(data):
            total, cells = energies.sum(axis=(1, 2)), part.observed[0].size
            usual = 1 - part.observed.sum(axis=(1, 2)) / cells
            score = np.clip(total / (cells * self.level_) + usual, 0, MOST) ** self.power
            share = np.divide(score, total, out=np.zeros(len(total)), where=total > 0)
            yield energies * share[:, None, None], expected

    def _blocks(self, data: Encoded) -> Iterator[tuple[Encoded, Energies, Floats]]:
        """Yield the windows in blocks, with the energies of channels and what is expected of them."""
        channels = Channels(data.layout)
        for start in range(0, max(len(data), 1), BLOCK):
            part = data.take(slice(start, start + BLOCK))
            energies, expected = self.energies(*filled_up(*channels.open(part)))
            yield part, channels.close(energies[: len(part)]), channels.levels(expected[: len(part)])


@dataclass(kw_only=True)
class ExpectingModel(WindowModel):
    """Scores cells by the square of how far they are from what is expected, and fills hidden ones with it."""

    def expected(self, x: Floats, seen: Mask) -> Floats:
        """Return what is expected of the cells of one block of windows, float32 [BLOCK, T, columns]."""
        raise NotImplementedError

    def energies(self, x: Floats, seen: Mask) -> tuple[Energies, Floats]:
        """Return the squared residuals of the cells that are observed, and what is expected."""
        expected = self.expected(x, seen)
        return np.where(seen, np.square(x.astype(np.float64) - expected), 0.0), expected

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill hidden cells with what is expected of them; there are no draws."""
        channels, parts = Channels(data.layout), []
        for start in range(0, max(len(data), 1), BLOCK):
            part = data.take(slice(start, start + BLOCK))
            parts.append(channels.levels(self.expected(*filled_up(*channels.open(part)))[: len(part)]))
        return Filled(np.where(data.observed, data.values, np.concatenate(parts)))


def filled_up(x: Floats, seen: Mask) -> tuple[Floats, Mask]:
    """Return a block of exactly `BLOCK` windows, 0 where nothing is observed; those added have no observed cell."""
    values = np.zeros((BLOCK, *x.shape[1:]), dtype=np.float32)
    observed = np.zeros(values.shape, dtype=np.bool_)
    np.copyto(values[: len(x)], x, where=seen)
    observed[: len(x)] = seen
    return values, observed


def _mean(energies: Energies, seen: Mask) -> Scores:
    count = seen.sum(axis=(1, 2)).clip(min=1)
    return np.asarray(energies.sum(axis=(1, 2)) / count, dtype=np.float64)
