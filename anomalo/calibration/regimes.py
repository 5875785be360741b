"""Stretches of time whose rows score unlike the others: each row is compared with those of its own time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.calibration.column_drift import Marginals
from anomalo.calibration.occlusion import cells_of, raised_to
from anomalo.encoding.encoded import Encoded, Floats, Scores
from anomalo.encoding.scaling import expand
from anomalo.models.capabilities import CanExplain
from anomalo.models.guarded import GuardedModel
from anomalo.models.results import Cells

STRETCHES = 5
"""The training rows' time is looked at in so many stretches of equally many rows."""
FEWEST = 500
"""With fewer rows in a stretch, its quantiles are too uncertain."""
UPPER = 0.9
"""From the median to this quantile of the scores is their scale, which up to a tenth of anomalies hardly changes."""
SHIFTED = 0.5
"""A stretch has scores of its own if this quantile lies that far from that of the others, in units of this scale."""
MOVED = 0.25
"""The least share of a column's cells that has changed, where rows of a stretch are unlike the others."""


@dataclass(frozen=True)
class Regimes:
    """How scores of each stretch of time are put on the scale of all.

    Attributes
    ----------
    ends : float64 [stretches - 1]
        The times between the stretches, ascending, in encoded units; none where all rows are of one kind.
    scale, shift : float64 [stretches]
        The score on the common scale is `scale * score + shift`, increasing in the score.

    Reference: conditional (Mondrian) conformal prediction, Vovk, Gammerman and Shafer (2005), section 4.5: each row is
    compared with rows of its own category.
    """

    ends: Scores
    scale: Scores
    shift: Scores

    @classmethod
    def none(cls) -> Self:
        """Return that of a table whose rows are of one kind, or have no time."""
        return cls(np.zeros(0), np.ones(1), np.zeros(1))

    @classmethod
    def find(cls, scores: Scores, times: Floats | None) -> Self:
        """Compare the median and the scale of out-of-fold scores [n] in each stretch with those of the others."""
        if times is None or len(scores) < STRETCHES * FEWEST:
            return cls.none()
        ends = np.quantile(times.astype(np.float64), np.arange(1, STRETCHES) / STRETCHES)
        which = np.searchsorted(ends, times, side="right")
        if np.bincount(which, minlength=STRETCHES).min() < FEWEST:
            return cls.none()
        middle, upper = np.array([np.quantile(scores[which == at], [0.5, UPPER]) for at in range(STRETCHES)]).T
        width = upper - middle
        if width.min() <= 0:
            return cls.none()
        usual_middle, usual_width, usual_upper = (float(np.median(of)) for of in (middle, width, upper))
        shifted = np.abs(upper - usual_upper) > SHIFTED * usual_width
        scale = np.where(shifted, usual_width / width, 1.0)
        return cls(ends, scale, np.where(shifted, usual_middle - middle * scale, 0.0))

    @property
    def shifted(self) -> NDArray[np.intp]:
        """The stretches whose scores are unlike the others."""
        return np.flatnonzero((self.scale != 1) | (self.shift != 0))

    def adjusted(self, scores: Scores, times: Floats | None) -> Scores:
        """Return scores [n] on the common scale; a row after all training rows is of the last stretch."""
        if times is None or not len(self.ends):
            return scores
        which = np.searchsorted(self.ends, times, side="right")
        return np.asarray(self.scale[which] * scores + self.shift[which])


@dataclass(frozen=True)
class ComparableModel:
    """A model whose scores of all stretches of time are on one scale."""

    model: GuardedModel
    regimes: Regimes

    def can(self, capability: type) -> bool:
        """Whether the model implements a protocol."""
        return self.model.can(capability)

    def score(self, data: Encoded) -> Scores:
        """Return the rows' scores, float64 [n]."""
        return self.regimes.adjusted(self.model.score(data), data.time)

    def explain(self, data: Encoded) -> Cells:
        """Return the rows' explanations, of these scores where the model explains, else by `occlusion`."""
        cells = cells_of(self.model, data)
        if not self.can(CanExplain):
            return cells
        raised = raised_to(cells.contribution, lambda total: self.regimes.adjusted(total, data.time))
        return replace(cells, contribution=raised)


def drift_in_time(data: Encoded, regimes: Regimes) -> str | None:
    """Return a sentence on the first stretch of the training rows that is unlike the others, or on the last; else None.

    Parameters
    ----------
    data : Encoded [n]
        The training rows.
    """
    if data.time is None or len(data) < STRETCHES * FEWEST:
        return None
    ends = np.quantile(data.time.astype(np.float64), np.arange(1, STRETCHES) / STRETCHES)
    which = np.searchsorted(ends, data.time, side="right")
    for stretch in dict.fromkeys([*regimes.shifted.tolist(), STRETCHES - 1]):
        columns = _moved(data, which == stretch)
        if columns or stretch in regimes.shifted:
            return _sentence(data, ends, stretch, columns)
    return None


def _moved(data: Encoded, here: NDArray[np.bool_]) -> list[str]:
    """Return the columns whose cells are distributed otherwise in some rows than in the others."""
    usual = Marginals.of(data.take(~here))
    return usual.moved(usual.count(data.take(here)), data.layout, MOVED)


def _sentence(data: Encoded, ends: Scores, stretch: int, columns: Sequence[str]) -> str:
    time = next(block for block in data.layout.blocks if block.moment)
    seconds = expand(ends, time.offset, time.scale)
    days = [str(np.datetime64(int(second), "s").astype("datetime64[D]")) for second in seconds]
    when = f"up to {days[0]}" if not stretch else f"from {days[stretch - 1]}"
    when += f" to {days[stretch]}" if 0 < stretch < STRETCHES - 1 else " on" if stretch else ""
    named = f" ({', '.join(map(repr, columns[:3]))} differ)" if columns else ""
    return (
        f"the table drifts with {time.name!r}: rows {when} are unlike the others{named}; "
        "each row is compared with those of its own time"
    )
