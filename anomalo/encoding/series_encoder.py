"""The encoder of series: points as rows of a table, and where each stands among those before and after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded, Floats
from anomalo.encoding.layout import Block
from anomalo.encoding.series.points import Points, Positions
from anomalo.encoding.series.sampling import Sampling, in_order
from anomalo.encoding.series.scales import Scales, own_scales
from anomalo.encoding.series.season import Phases, season
from anomalo.encoding.series.windows import window_length
from anomalo.encoding.table_encoder import TableEncoder
from anomalo.errors import ArtefactError, SourceError
from anomalo.tabular.column import SERIES
from anomalo.tabular.columns import Columns
from anomalo.tabular.parsing import Texts
from anomalo.tabular.quantities import count
from anomalo.tabular.schema import Schema

Indices = NDArray[np.intp]

LONGEST_SERIES = 10
"""The length of a window is learned from so many series, the longest ones."""
SHORTEST = 2
"""Points of a window, at least."""
CELLS, FEW = 1000, 8
"""Of many channels, a window that no one asked for has so many cells at most, but so many points at least."""
VERSION = 2
"""Of what a point's score is made of: since 2, the root of the mean over windows that may end after the series."""
LEVELS = 32
"""A category counts as so many channels as it has levels, up to these."""


class SeriesEncoder(TableEncoder):
    """Series, one row a point: channels are encoded as columns of a table are, each series on a scale of its own.

    What models see, windows of points [n, T, C], is taken from the points when it is needed: a batch that is encoded
    has to have the points around its rows.
    """

    modality: ClassVar[str] = SERIES

    def __init__(self) -> None:
        super().__init__()
        self._sampling = Sampling()
        self._series: dict[str, int] = {}
        self._offsets, self._scales = np.zeros((1, 0)), np.ones((1, 0))

    @property
    def sampling(self) -> Sampling:
        """How the series of the training table are sampled."""
        return self._sampling

    @property
    def series(self) -> Mapping[str, int]:
        """The numbers of the series of the training table, by their names; empty if there is one only."""
        return self._series

    def fit(self, columns: Columns, schema: Schema) -> Self:
        """Learn the channels, the usual step between points, the scale of each series and the length of windows.

        Raises
        ------
        SourceError
            A point has no time.
        """
        self._fit_columns(columns, schema)
        self._series = self._known(columns)
        which, times = self._which(columns), self._times(columns)
        self._fit_scales(columns, which)
        order = in_order(times, which)
        self._sampling = Sampling.of(times[order], which[order])
        width = schema.window or self._window(columns)
        self._layout = replace(self._layout, window=max(width, SHORTEST), averaged=not schema.causal)
        return self

    def _known(self, columns: Columns) -> dict[str, int]:
        """Return the number of each series by its name."""
        if self._schema.entity is None:
            return {}
        names = sorted(set(_names(columns.values[self._schema.entity])))
        return {name: number for number, name in enumerate(names)}

    def _fit_scales(self, columns: Columns, which: Indices) -> None:
        blocks = [block for block in self._layout.blocks if block.kind == "number"]
        offset, scale = (np.array([getattr(block, name) for block in blocks]) for name in ("offset", "scale"))
        if not self._series or not blocks:
            return
        numbers = np.stack([np.asarray(columns.values[block.name], dtype=np.float64) for block in blocks], axis=1)
        self._offsets, self._scales = own_scales(numbers, which, len(self._series), offset, scale)
        data = self.encode(columns)
        assert data.positions is not None, "points have positions"
        points = data.positions.points
        self._layout = replace(self._layout, blocks=tuple(_widened(block, points) for block in self._layout.blocks))

    def _window(self, columns: Columns) -> int:
        """Return the median length of windows of the longest series."""
        data = self.encode(columns)
        assert data.positions is not None, "points have positions"
        points, which = data.positions.points, self._which(columns)
        longest = np.argsort(-np.bincount(which), kind="stable")[:LONGEST_SERIES]
        found = []
        for series in longest[np.bincount(which)[longest] > 0]:
            at = np.sort(data.positions.at[which == series])
            mine = slice(int(at[0]), int(at[-1]) + 1)
            found.append(window_length(points.values[mine], points.observed[mine]))
        channels = sum(min(max(block.size, 1), LEVELS) for block in self._layout.blocks)
        return min(int(np.median(found)), max(FEW, CELLS // max(channels, 1)))

    def encode(self, columns: Columns, label: bool = False) -> Encoded:
        """Encode points, in any order; each row of the result knows the others.

        Raises
        ------
        SourceError
            A point has no time.
        """
        rows = super().encode(columns, label)
        which, times = self._which(columns), self._times(columns)
        order = in_order(times, which)
        before = self._sampling.absent(times[order], which[order], self._layout.window)
        place = np.arange(len(order)) + np.cumsum(before)
        at = np.empty(len(order), dtype=np.intp)
        at[order] = place
        size = int(place[-1]) + 1 if len(place) else 0
        seen = rows.as_models_see()
        common, observed = (np.zeros((size, len(self._layout.blocks)), kind) for kind in (np.float32, np.bool_))
        common[at], observed[at] = seen.values, seen.observed
        starts = np.zeros(size, dtype=np.intp)
        begins = place[self._sampling.begins(times[order], which[order])]
        starts[begins] = begins
        points = self._points(common, observed, np.maximum.accumulate(starts), at, which)
        points = replace(points, season=self._season(times[order], place))
        return replace(rows, positions=Positions(points, at, self._layout.window, self._layout.averaged))

    def _season(self, times: NDArray[np.float64], place: Indices) -> Phases | None:
        """Return the phases of points, given times and positions of those that are there; None without a calendar."""
        if self._schema.column(str(self._schema.time)).kind != "datetime" or not len(times):
            return None
        return season(np.interp(np.arange(place[-1] + 1), place, times), self._sampling.step)

    def _points(self, common: Any, observed: Any, first: Indices, at: Indices, which: Indices) -> Points:
        if self._schema.entity is None:
            return Points(common, observed, first, common)
        others = len(self._series)
        series, is_new = np.full(len(common), others, dtype=np.intp), np.zeros(len(common), dtype=np.bool_)
        series[at], is_new[at] = np.minimum(which, others), which >= others
        scales = self._scales_of(series)
        if scales is None:
            return Points(common, observed, first, common, None, self._schema.entity, is_new)
        values = np.where(observed, scales.to_series(common, np.arange(len(common))), common).astype(np.float32)
        return Points(values, observed, first, common, scales, self._schema.entity, is_new)

    def _scales_of(self, series: Indices) -> Scales | None:
        """Return the scales of points by the numbers of their series, [points]; None where no series has its own."""
        blocks = [block for block in self._layout.blocks if block.kind == "number"]
        if self._schema.entity is None or not blocks or self._offsets.shape[1] != len(blocks):
            return None
        return Scales(
            np.array([block.position for block in blocks], dtype=np.intp),
            np.array([block.offset for block in blocks]),
            np.array([block.scale for block in blocks]),
            self._offsets,
            self._scales,
            series,
        )

    def to_common(self, values: Floats, series: Indices) -> Floats:
        """Return points [n, C] that are on the scales of series, by their numbers [n], on the scale of all."""
        scales = self._scales_of(series)
        return values if scales is None else scales.to_common(values, np.arange(len(values)))

    def _times(self, columns: Columns) -> NDArray[np.float64]:
        times = np.asarray(columns.values[str(self._schema.time)], dtype=np.float64)
        missing = np.flatnonzero(np.isnan(times))
        if len(missing):
            raise SourceError(
                f"column {self._schema.time!r} has no readable time for {count(len(missing), 'point')} of "
                f"{columns.rows:,}; give each a time, or leave such rows out"
            )
        return times

    def _which(self, columns: Columns) -> Indices:
        """Return the number of each row's series, [n]; series that were not in training have that after the last."""
        if self._schema.entity is None:
            return np.zeros(columns.rows, dtype=np.intp)
        cells = columns.values[self._schema.entity]
        assert isinstance(cells, Texts), "a series is named by texts"
        names = cells.distinct.to_pylist()
        number = {**self._series}
        for name in sorted({name or "" for name in names} - number.keys()):
            number[name] = len(number)
        numbers = np.array([*(number[name or ""] for name in names), number.get("", len(number))], dtype=np.intp)
        return numbers[cells.index]

    def to_json(self) -> dict[str, Any]:
        """Return what `fit` learned as JSON-ready values."""
        scales = np.stack([self._offsets, self._scales], axis=1).tolist()
        series, common = {name: scales[at] for name, at in self._series.items()}, scales[-1]
        sampling = {name: value for name, value in vars(self._sampling).items() if np.isfinite(value)}
        learned = {"series": series, "common": common, "sampling": sampling}
        return super().to_json() | learned | {"version": VERSION}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], schema: Schema) -> Self:
        """Rebuild an encoder from `to_json` and the schema that it was fitted with.

        Raises
        ------
        ArtefactError
            It is of an earlier version, to whose scores of points those of today cannot be compared.
        """
        if value.get("version") != VERSION:
            raise ArtefactError(
                f"this model of series is of version {value.get('version', 1)}, whose scores of points are others: "
                f"expected version {VERSION}; fit it again"
            )
        encoder = super().from_json(value, schema)
        encoder._sampling = Sampling(**value["sampling"])
        encoder._series = {name: number for number, name in enumerate(value["series"])}
        every = [*value["series"].values(), value["common"]]
        encoder._offsets, encoder._scales = (np.array([one[at] for one in every], dtype=np.float64) for at in (0, 1))
        return encoder


def _names(cells: Any) -> list[str]:
    assert isinstance(cells, Texts), "a series is named by texts"
    names = [*cells.distinct.to_pylist(), None]
    return [names[at] or "" for at in np.unique(cells.index)]


def _widened(block: Block, points: Points) -> Block:
    """Return a block whose range has the numbers of all points on the scale of their series, too."""
    seen = points.values[points.observed[:, block.position], block.position]
    if block.kind != "number" or not len(seen):
        return block
    return replace(block, low=min(block.low, float(seen.min())), high=max(block.high, float(seen.max())))
