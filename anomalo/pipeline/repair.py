"""Counterfactual repair: the fewest cells whose replacement by their expected values makes a row normal."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anomalo.calibration.occlusion import beside_model, beside_texts
from anomalo.calibration.thresholds import Boundary
from anomalo.encoding.encoded import FIRST_LEVEL, Encoded, Floats, Mask, Scores
from anomalo.encoding.encoder import writing
from anomalo.encoding.scaling import expand
from anomalo.models.results import Filled
from anomalo.pipeline.explaining.expected_cells import unforeseeable
from anomalo.pipeline.fitted import Fitted

MOST = 5
"""A repair replaces at most so many cells."""
CANDIDATES = 32
"""In wide tables, so many cells of each row are tried: those with the largest contributions."""
PARTNERS = 8
"""Sets are extended by so many cells of each row: those that are best alone."""
BEAM = 6
"""Of the sets of one size that do not make a row normal, so many are extended."""
CELLS = 1_000_000
"""Cells that are filled and scored at a time."""

Sets = NDArray[np.intp]
"""Candidate repairs [k, 1 + size]: a row, then the positions of its cells, ascending."""


@dataclass(frozen=True)
class Start:
    """Where the search starts: some rows with cells replaced of columns of texts that no model reads.

    Attributes
    ----------
    replaced : int [n]
        How many cells of each row.
    texts : float32 [n, columns of text] or None
        The surprisal of the row's texts then, as `Encoded.texts`.
    """

    replaced: NDArray[np.intp]
    texts: Floats | None


@dataclass(frozen=True)
class Repaired:
    """The repairs of some rows.

    Attributes
    ----------
    cells : bool [n, columns]
        Which cells are replaced; none where no set makes the row normal.
    value : float32 [n, columns]
        The encoded values of those cells as they are once written; elsewhere those of the row.
    low, high : float64 [n, columns]
        A 90 % interval for each replaced number, in original units; else NaN.
    score, p_value : float64 [n]
        Of the repaired row, or of the least anomalous candidate where none is normal.
    normal : bool [n]
        Which rows become normal.
    """

    cells: Mask
    value: Floats
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    score: Scores
    p_value: Scores
    normal: Mask


@dataclass(frozen=True)
class _Tried:
    """Candidate repairs with the score and p-value of each; the score is infinite where a cell stays as it was."""

    sets: Sets
    score: Scores
    p_value: Scores
    normal: Mask

    def best(self, width: int, among: Mask) -> _Tried:
        """Return each row's sets of the lowest scores, at most `width`, of those under the mask; row by row."""
        allowed = np.flatnonzero(among & np.isfinite(self.score))
        order = allowed[np.lexsort((self.score[allowed], self.sets[allowed, 0]))]
        rows = self.sets[order, 0]
        rank = np.arange(len(order)) - np.searchsorted(rows, rows)
        chosen = order[rank < width]
        return _Tried(self.sets[chosen], self.score[chosen], self.p_value[chosen], self.normal[chosen])


def repair(
    fitted: Fitted,
    data: Encoded,
    boundary: Boundary,
    most: int = MOST,
    *,
    start: Start | None = None,
    tried: int = CANDIDATES,
    at_once: int = CELLS,
) -> Repaired:
    """Find for each row the smallest set of cells whose joint replacement makes it normal.

    A set's cells are hidden and filled together with what the model expects given the rest of the row, and the row
    is scored with these values as they would be written. All single cells are tried (of wide tables, those
    of the largest contributions), then pairs of the best, then larger sets by beam search. Of sets of one size, that
    of the lowest score is taken; cells that a set of three or more does not need are removed from it.

    Parameters
    ----------
    data : Encoded [n]
        Anomalous rows.
    boundary : Boundary
        What is normal.
    most : int
        The largest number of cells of a repair.
    start : Start, optional
        What is replaced first; it counts as part of the repair.
    tried : int
        How many single cells of a row are tried, at most.
    at_once : int
        How many cells are filled and scored at a time.

    Reference: Wachter, Mittelstadt and Russell (2018), Counterfactual explanations without opening the black box,
    Harvard Journal of Law & Technology 31; Lowerre (1976), The Harpy speech recognition system, for the beam.
    """
    writing(fitted.encoder)  # before a long search
    search = _Search(fitted, data, boundary, at_once, start)
    room = np.full(len(data), most) if start is None else most - start.replaced
    search.keep(search.tried(np.flatnonzero(room < most)[:, None]))
    singles = _singles(candidates(fitted, search.data, tried))
    found = search.tried(singles[(~search.normal & (room > 0))[singles[:, 0]]])
    search.keep(found)
    partners = _partners(found, len(data))
    for size in range(2, most + 1):
        beam = found.best(BEAM, (~search.normal & (room >= size))[found.sets[:, 0]])
        found = search.tried(_extended(beam.sets, partners))
        search.keep(found)
    return search.result()


def candidates(fitted: Fitted, data: Encoded, most: int) -> NDArray[np.intp]:
    """Return the positions of the cells that may be replaced, [n, at most `most`]; -1 where a row has fewer.

    A missing cell is one of them only where its absence is anomalous.
    """
    able = data.observed | (beside_model(data, fitted.facts["rows"], fitted.calibration) > 0)
    columns = able.shape[1]
    if columns <= most:
        return np.where(able, np.arange(columns), -1)
    contribution = np.where(able, fitted.explain(data).contribution, -np.inf)
    first = np.argsort(-contribution, axis=1, kind="stable")[:, :most]
    return np.where(np.take_along_axis(able, first, axis=1), first, -1)


class _Search:
    """The best set of each row so far, and whether it makes the row normal."""

    def __init__(
        self,
        fitted: Fitted,
        data: Encoded,
        boundary: Boundary,
        at_once: int = CELLS,
        start: Start | None = None,
    ) -> None:
        self.fitted, self.boundary, self.at_once = fitted, boundary, at_once
        self.data = replace(data, reviewed=None, texts=data.texts if start is None else start.texts)
        self.cells: Mask = np.zeros(data.values.shape, dtype=bool)
        self.score = np.full(len(data), np.inf)
        self.p_value = np.zeros(len(data))
        self.normal = np.zeros(len(data), dtype=bool)
        self.typical, self.times = _seen(fitted, data)
        self._beside: Scores = beside_texts(self.data, fitted.calibration).sum(axis=1)

    def tried(self, sets: Sets) -> _Tried:
        """Replace and score candidates."""
        step = max(self.at_once // max(self.data.values.shape[1], 1), 1)
        parts = [self._tried(sets[start : start + step]) for start in range(0, max(len(sets), 1), step)]
        joined = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
        return _Tried(sets, joined[0], joined[1], joined[2])

    def _tried(self, sets: Sets) -> tuple[Scores, Scores, Mask]:
        if not len(sets):
            return np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool)
        before = self.data.take(sets[:, 0])
        cells = _mask(sets, before.values.shape[1])
        after, _ = self._replaced(before, cells)
        moved = after.observed & ((after.values != before.values) | ~before.observed)
        real = (moved | ~cells).all(axis=1)
        scored = self.fitted.score(after)
        normal = real & self.boundary.normal(scored.p_value, scored.score)
        normal &= self._strictly(sets[:, 0], scored.score, after)
        return np.where(real, scored.score, np.inf), scored.p_value, normal

    def _strictly(self, rows: NDArray[np.intp], score: Scores, after: Encoded) -> Mask:
        """Return which repairs are normal also if the model had never seen their rows.

        A model has seen the anomalous cells of the rows that it was fitted on, and scores these rows lower than a model
        that has not. So the excess of such a row's score over the typical score is multiplied after a repair by the
        ratio that out-of-fold scores show before it, but for what columns add to it that no model reads.
        """
        times, typical = self.times[rows], self.typical + self._beside[rows]
        strict = np.flatnonzero((times > 1) & (score > typical))
        normal = np.ones(len(rows), dtype=bool)
        if len(strict):
            unseen = typical[strict] + (score[strict] - typical[strict]) * times[strict]
            p_value = self.fitted.calibration.p_values(unseen, after.take(strict).hashes())
            normal[strict] = self.boundary.normal(p_value, unseen)
        return normal

    def _replaced(self, before: Encoded, cells: Mask) -> tuple[Encoded, Filled]:
        """Return rows with the cells under the mask replaced, as they would be written, and what the model imputed."""
        filled = self.fitted.impute(before.hide(cells))
        values, observed = before.values.copy(), before.observed | cells
        for position in np.flatnonzero(cells.any(axis=0)).tolist():
            at = cells[:, position]
            values[at, position] = writing(self.fitted.encoder).round_trip(filled.point[at, position], position)
        for position in self.data.layout.categories.tolist():
            block, rows = self.data.layout.blocks[position], self.fitted.facts["rows"]
            unknown = cells[:, position] & unforeseeable(block, rows, values[:, position])
            observed[:, position] &= (values[:, position] >= FIRST_LEVEL) & ~unknown
        after = replace(before, values=values, observed=observed, evidence=before.evidence_but(cells))
        moments = self.data.layout.spread([block.moment for block in self.data.layout.blocks])
        return writing(self.fitted.encoder).derive_again(after, np.asarray(cells[:, moments].any(axis=1))), filled

    def keep(self, tried: _Tried) -> None:
        """Keep what is better for rows that are not normal yet: a set that makes them normal, or a lower score."""
        left = ~self.normal[tried.sets[:, 0]]
        lower = tried.best(1, left)
        self._take(lower.best(1, lower.score < self.score[lower.sets[:, 0]]))
        found = tried.best(1, left & tried.normal)
        self._take(found)
        self._prune(found.sets)

    def _take(self, found: _Tried) -> None:
        rows = found.sets[:, 0]
        self.cells[rows] = _mask(found.sets, self.cells.shape[1])
        self.score[rows], self.p_value[rows], self.normal[rows] = found.score, found.p_value, found.normal

    def _prune(self, sets: Sets) -> None:
        """Remove cells that a set does not need to make its row normal; all single cells were tried before."""
        while len(sets) and sets.shape[1] > 3:
            fewer = self.tried(np.concatenate([np.delete(sets, at, axis=1) for at in range(1, sets.shape[1])]))
            smaller = fewer.best(1, fewer.normal)
            self._take(smaller)
            sets = smaller.sets

    def result(self) -> Repaired:
        """Return what was found, with the values and their intervals."""
        cells = self.cells & self.normal[:, None]
        after, filled = self._replaced(self.data, cells)
        low, high = (np.full(cells.shape, np.nan) for _ in range(2))
        if filled.low is not None and filled.high is not None:
            low, high = (self._in_original_units(end, cells) for end in (filled.low, filled.high))
        return Repaired(cells, after.values, low, high, self.score, self.p_value, self.normal)

    def _in_original_units(self, encoded: Floats, cells: Mask) -> NDArray[np.float64]:
        """Return the numbers under the mask in original units, NaN elsewhere."""
        values = np.full(cells.shape, np.nan)
        for position in self.data.layout.numbers:
            at, block = cells[:, position], self.data.layout.blocks[position]
            values[at, position] = expand(encoded[at, position], block.offset, block.scale)
        return values


def _seen(fitted: Fitted, data: Encoded) -> tuple[float, Scores]:
    """Return a typical score, and the ratio [n] of the rows' excess over it out of fold to that in the fitted model.

    What columns of texts that no model reads add to a row's score is no part of its excess. The ratio is 1 for rows
    that were not in training.
    """
    reference = fitted.calibration.reference
    if not len(reference):
        return 0.0, np.ones(len(data))
    typical, score = float(np.median(reference)), fitted.score_as_new(data)
    unseen = fitted.calibration.out_of_fold(score, data.hashes())
    usual = typical + beside_texts(data, fitted.calibration).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        times = (unseen - usual) / np.maximum(score - usual, 0.0)
    return typical, np.where(unseen > score, times, 1.0)


def _mask(sets: Sets, columns: int) -> Mask:
    """Return the cells of each set, bool [k, columns]."""
    cells = np.zeros((len(sets), columns), dtype=bool)
    cells[np.arange(len(sets))[:, None], sets[:, 1:]] = True
    return cells


def _singles(positions: NDArray[np.intp]) -> Sets:
    """Return the sets of one cell: row by row, the columns in order; entries of -1 are skipped."""
    row, at = np.nonzero(positions >= 0)
    return np.unique(np.column_stack([row, positions[row, at]]), axis=0).reshape(-1, 2)


def _partners(tried: _Tried, rows: int) -> NDArray[np.intp]:
    """Return the positions of each row's best single cells, [rows, PARTNERS]; -1 where it has fewer."""
    best = tried.best(PARTNERS, np.ones(len(tried.sets), dtype=bool)).sets
    partners = np.full((rows, PARTNERS), -1)
    partners[best[:, 0], np.arange(len(best)) - np.searchsorted(best[:, 0], best[:, 0])] = best[:, 1]
    return partners


def _extended(sets: Sets, partners: NDArray[np.intp]) -> Sets:
    """Return each set with each of its row's partners that it does not have, none of them twice."""
    each = partners.shape[1]
    added = partners[sets[:, 0]].reshape(-1, 1)
    larger = np.concatenate([np.repeat(sets, each, axis=0), added], axis=1)
    cells = np.sort(larger[:, 1:], axis=1)
    larger = np.concatenate([larger[:, :1], cells], axis=1)
    return np.unique(larger[(cells[:, 0] >= 0) & (np.diff(cells, axis=1) > 0).all(axis=1)], axis=0)
