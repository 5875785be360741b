"""The encoder of tables: columns to `Encoded`, batch by batch, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.encoding.cell_filling import filled_type, with_fills
from anomalo.encoding.domain import around, few_values, grid, nearest, on_grid, outward
from anomalo.encoding.encoded import FIRST_LEVEL, MISSING, UNSEEN, Encoded, Floats, Mask
from anomalo.encoding.layout import Block, Layout
from anomalo.encoding.scaling import centre_and_scale, compress, expand
from anomalo.rules import stored
from anomalo.rules.discovery import discover
from anomalo.rules.evidence import Evidence
from anomalo.rules.rule import Rule
from anomalo.tabular.column import Column
from anomalo.tabular.columns import Columns, Values
from anomalo.tabular.formatting import arrow_type, render_labels, render_numbers
from anomalo.tabular.moments.derived import DerivedColumn, derive, derived_table, is_moment
from anomalo.tabular.parsing import Texts, read
from anomalo.tabular.schema import Schema
from anomalo.tabular.understanding.number_parts import Numbers

ALL_LEVELS = 20
"""A category with at most this many levels keeps them all."""
MOST_LEVELS = 100
"""At most this many levels of a category get a separate code."""


class TableEncoder:
    """Tables, one position per feature: numbers compressed around their median, categories as codes."""

    modality: ClassVar[str] = "table"

    def __init__(self) -> None:
        self._schema = Schema((), 0)
        self._layout = Layout(self.modality, (0,), ())
        self._range: dict[int, tuple[float, float]] = {}
        self._rare: dict[int, list[int]] = {}
        self._few: dict[int, list[float]] = {}
        self._derivation: tuple[DerivedColumn, ...] = ()
        self._derived: TableEncoder | None = None
        self.rules: tuple[Rule, ...] = ()
        self._prepare()

    @property
    def layout(self) -> Layout:
        """The layout learned by `fit`."""
        return self._layout

    def fit(self, columns: Columns, schema: Schema) -> Self:
        """Learn the columns, the rules between them, and what is derived from points in time."""
        self._fit_columns(columns, schema)
        self.rules = discover(columns, schema.features)
        self._derivation, self._derived = derive(columns, schema), None
        if self._derivation:
            self._derived = TableEncoder()._fit_columns(*derived_table(self._derivation, columns))
            self._derived._mark_sources(self._derivation)
            self._layout = replace(self._layout, derived=self._derived.layout)
        return self

    def _fit_columns(self, columns: Columns, schema: Schema) -> Self:
        """Learn the centres, scales and ranges of numbers, and the levels of categories."""
        self._schema = schema
        self._range, self._rare, self._few = {}, {}, {}
        blocks = []
        for position, column in enumerate(schema.features):
            values = columns.values[column.name]
            if isinstance(values, Texts):
                blocks.append(self._fit_category(column, position, values))
            else:
                blocks.append(self._fit_number(column, position, values, columns.unreadable.get(column.name)))
        self._layout = Layout(self.modality, (len(blocks),), tuple(blocks))
        self._prepare()
        return self

    def _mark_sources(self, derivation: Sequence[DerivedColumn]) -> None:
        pairs = zip(self._layout.blocks, derivation, strict=True)
        blocks = tuple(replace(block, sources=one.sources, part=one.part) for block, one in pairs)
        self._layout = replace(self._layout, blocks=blocks)

    @property
    def derivation(self) -> tuple[DerivedColumn, ...]:
        """What is computed from points in time."""
        return self._derivation

    def encode(self, columns: Columns, label: bool = False) -> Encoded:
        """Encode one batch.

        Parameters
        ----------
        columns : Columns [n]
            As the schema parses them.
        label : bool
            Whether to show the label, if the model learns it; else it is hidden, and may be absent.
        """
        values = np.empty((columns.rows, len(self._layout.blocks)), dtype=np.float32)
        observed = np.empty(values.shape, dtype=np.bool_)
        for block, column in zip(self._layout.blocks, self._schema.features, strict=True):
            if block.label and not label:
                values[:, block.position], observed[:, block.position] = MISSING, False
                continue
            encoded, seen = self._encode_column(block, columns.values[column.name])
            if (unreadable := columns.unreadable.get(column.name)) is not None:
                encoded = np.where(unreadable, UNSEEN, encoded)
            values[:, block.position] = encoded
            observed[:, block.position] = seen
        evidence = Evidence.of(self.rules, columns, [block.name for block in self._layout.blocks])
        if self._derived is None:
            return Encoded(values, observed, self._layout, evidence=evidence)
        derived = self._derived.encode(derived_table(self._derivation, columns)[0])
        return Encoded(values, observed, self._layout, None, derived, self._time(values), evidence)

    def _time(self, values: Floats) -> Floats | None:
        """Return the rows' times [n], if exactly one column has them."""
        moments = [block.position for block in self._layout.blocks if block.moment]
        return values[:, moments[0]].copy() if len(moments) == 1 else None

    def derive_again(self, data: Encoded, rows: Mask) -> Encoded:
        """Return the rows with what is derived from their points in time computed anew for those under the mask [n]."""
        if self._derived is None or data.derived is None or not rows.any():
            return data
        numbers = np.where(data.observed, data.values, np.nan)[rows].astype(np.float64)
        moments = [block for block in self._layout.blocks if block.moment]
        seconds = {block.name: expand(numbers[:, block.position], block.offset, block.scale) for block in moments}
        new = self._derived.encode(derived_table(self._derivation, Columns(len(numbers), seconds))[0])
        values, observed = data.derived.values.copy(), data.derived.observed.copy()
        values[rows], observed[rows] = new.values, new.observed
        return replace(data, derived=replace(data.derived, values=values, observed=observed))

    def decode(self, values: Floats, position: int, round: bool = True) -> pa.Array:
        """Turn encoded values [n] of one position back into the column's type and format.

        Parameters
        ----------
        values : float32 [n]
            Numbers, or codes of a category; codes of no level, and nan, become null.
        position : int
            Which column.
        round : bool
            Whether whole numbers, and the decimals of a text column, are rounded to.
        """
        column = self._schema.features[position]
        return self._render(values, position, arrow_type(column.storage), round, clip=False)

    def round_trip(self, values: Floats, position: int) -> Floats:
        """Return what encoded values [n] of one position become when they are written to cells and read again.

        Numbers are clipped to the range seen in training, and rounded as `fill` rounds them: to one of the observed
        values where these are few, datetimes to whole steps such as days.
        """
        column = self._schema.features[position]
        cells = self._render(values, position, arrow_type(column.storage), round=True, clip=True)
        again = read(column, cells, self._schema.reading)
        return self._encode_column(self._layout.blocks[position], again)[0].astype(np.float32)

    def possible(self, values: Floats, position: int) -> Numbers:
        """Return the numbers that a column can hold nearest to encoded values [n], in original units.

        They are clipped to the range seen in training, and one of few observed values, or on whole steps.
        """
        block = self._layout.blocks[position]
        return self._as_seen(block, expand(values, block.offset, block.scale), block.step > 0)

    def possible_interval(self, low: Numbers, high: Numbers, position: int) -> tuple[Numbers, Numbers]:
        """Return the ends of intervals [n] of a number's column, in original units, moved outward to possible ones."""
        block = self._layout.blocks[position]
        first, last = self._range[position]
        if position in self._few:
            return around(low, high, self._few[position])
        if block.step > 0:
            low, high = outward(low, high, first, block.step)
        return np.clip(low, first, last), np.clip(high, first, last)

    def numbers_as_cells(self, numbers: Numbers, position: int) -> pa.Array:
        """Return numbers [n] of one column, in original units, in the column's type and format."""
        column = self._schema.features[position]
        return render_numbers(column, numbers, arrow_type(column.storage), self._layout.blocks[position].integer)

    def fill(self, batch: pa.RecordBatch, point: Floats, where: Mask, round: bool = True) -> pa.RecordBatch:
        """Return the batch with some cells filled; all other cells, and the label, stay as they are.

        Parameters
        ----------
        batch : RecordBatch [n]
            With at least the features.
        point : float32 [n, columns]
            Encoded fills (only those of the cells to fill are read); numbers are clipped to the range seen in
            training. Where few values were observed, a fill is one of them; datetimes are whole steps, such as days.
        where : bool [n, columns]
            The cells to fill, missing or not.
        round : bool
            Whether whole numbers are rounded to; if not, their columns become float64.
        """
        arrays = {name: batch.column(name) for name in batch.schema.names}
        for block, column in zip(self._layout.blocks, self._schema.features, strict=True):
            if block.label:
                continue
            cells, here = batch.column(column.name), where[:, block.position]
            kind = filled_type(column, cells.type, round)
            if here.any() or kind != cells.type:
                fills = self._render(point[here, block.position], block.position, kind, round, clip=True)
                arrays[column.name] = with_fills(cells, here, fills)
        fields = [field.with_type(arrays[field.name].type) for field in batch.schema]
        return pa.RecordBatch.from_arrays(list(arrays.values()), schema=pa.schema(fields, batch.schema.metadata))

    def to_original_units(self, data: Encoded) -> Numbers:
        """Return encoded rows as cells in original units, float64 [n, columns].

        Numbers are clipped by `clip_to_domain`; categories are codes; missing cells are NaN.
        """
        cells = np.where(data.observed, data.values, np.nan).astype(np.float64)
        for block in self._layout.blocks:
            if block.kind == "number":
                cells[:, block.position] = expand(cells[:, block.position], block.offset, block.scale)
        return self.clip_to_domain(cells)

    def clip_to_domain(self, cells: Numbers) -> Numbers:
        """Return cells [n, columns] in original units, numbers clipped to the training range and rounded to a step.

        Where few values were observed, numbers become the nearest of them.
        """
        clipped = cells.copy()
        for block in self._layout.blocks:
            if block.kind == "number":
                clipped[:, block.position] = self._as_seen(block, cells[:, block.position], block.step > 0)
        return clipped

    def _as_seen(self, block: Block, numbers: Numbers, stepped: bool) -> Numbers:
        """Return numbers clipped to the training range, as one of few observed values or, if asked, on whole steps."""
        if block.position in self._few:
            return nearest(numbers, self._few[block.position])
        low, high = self._range[block.position]
        clipped = np.clip(numbers, low, high)
        return on_grid(clipped, low, block.step) if stepped else clipped

    def write(self, cells: Numbers, rng: np.random.Generator) -> pa.RecordBatch:
        """Return cells [n, columns] of `to_original_units` as a table, each column in its type and format.

        Rare levels are drawn in proportion to their counts in training.
        """
        columns = {}
        for block, column in zip(self._layout.blocks, self._schema.features, strict=True):
            values, kind = cells[:, block.position], arrow_type(column.storage)
            if block.kind == "number":
                columns[column.name] = render_numbers(column, values, kind, block.integer)
            else:
                rare = self._drawn(block, len(values), rng) if block.rare else 0
                columns[column.name] = render_labels(column, _labels(block, values, rare), kind)
        return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))

    def _drawn(self, block: Block, rows: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """Return for each row the index of a rare level."""
        counts = np.array(self._rare[block.position], dtype=np.float64)
        return rng.choice(len(counts), size=rows, p=counts / counts.sum())

    def to_json(self) -> dict[str, Any]:
        """Return what `fit` learned as JSON-ready values."""
        ranges = [[position, low, high] for position, (low, high) in self._range.items()]
        rare = [[position, counts] for position, counts in self._rare.items()]
        few = [[position, values] for position, values in self._few.items()]
        rules = stored.to_json(self.rules)
        found = {"layout": self._layout.to_json(), "ranges": ranges, "rare": rare, "few": few, "rules": rules}
        if self._derived is not None:
            found["derivation"] = [one.to_json() for one in self._derivation]
            found["derived"] = self._derived.to_json()
        return found

    @classmethod
    def from_json(cls, value: Mapping[str, Any], schema: Schema) -> Self:
        """Rebuild an encoder from `to_json` and the schema that it was fitted with."""
        encoder = cls()
        encoder._schema = schema
        encoder._layout = Layout.from_json(value["layout"])
        encoder._range = {position: (low, high) for position, low, high in value["ranges"]}
        encoder._rare, encoder._few = dict(value["rare"]), dict(value["few"])
        encoder.rules = stored.from_json(value.get("rules", ()))
        encoder._prepare()
        if "derived" in value:
            encoder._derivation = tuple(map(DerivedColumn.from_json, value["derivation"]))
            columns = tuple(one.column for one in encoder._derivation)
            encoder._derived = cls.from_json(value["derived"], Schema(columns, schema.rows))
        return encoder

    def _prepare(self) -> None:
        """Build the tables that batches are looked up in: each category's texts, and their codes."""
        self._vocabulary: dict[int, pa.StringArray] = {}
        self._codes: dict[int, Floats] = {}
        for block in self._layout.blocks:
            if block.kind == "category":
                separate = np.arange(len(block.levels)) + FIRST_LEVEL
                shared = np.full(len(block.rare), len(block.levels) + FIRST_LEVEL)
                self._vocabulary[block.position] = pa.array([*block.levels, *block.rare], pa.string())
                self._codes[block.position] = np.concatenate([separate, shared, [UNSEEN]]).astype(np.float32)

    def _fit_number(self, column: Column, position: int, values: Numbers, unreadable: Mask | None) -> Block:
        seen = values[~np.isnan(values)]
        bad = 0 if unreadable is None else int(unreadable.sum())
        offset, scale = centre_and_scale(seen)
        low, high = (float(seen.min()), float(seen.max())) if len(seen) else (offset, offset)
        self._range[position] = (low, high)
        if column.kind != "datetime" and (few := few_values(seen)):
            self._few[position] = few
        ends = compress(np.array([low, high]), offset, scale).astype(np.float32)
        return Block(
            name=column.name,
            kind="number",
            position=position,
            offset=offset,
            scale=scale,
            low=float(ends[0]),
            high=float(ends[1]),
            integer=bool(np.all(np.round(seen) == seen)),
            step=grid(seen),
            missing=_share_missing(len(seen) + bad, len(values)),
            unreadable=bad / max(len(values), 1),
            label=column.role == "label",
            moment=is_moment(column),
        )

    def _fit_category(self, column: Column, position: int, texts: Texts) -> Block:
        merged = texts.distinct.dictionary_encode()
        index = np.append(pc.fill_null(merged.indices, -1).to_numpy(zero_copy_only=False), -1)[texts.index]
        counts = np.bincount(index[index >= 0], minlength=len(merged.dictionary))
        names = merged.dictionary.to_pylist()
        levels, rare = _split_levels(names, counts, len(index))
        if rare:
            often = dict(zip(names, counts.tolist(), strict=True))
            self._rare[position] = [often[name] for name in rare]
        return Block(
            name=column.name,
            kind="category",
            position=position,
            levels=levels,
            rare=rare,
            missing=_share_missing(int(counts.sum()), len(index)),
            label=column.role == "label",
        )

    def _encode_column(self, block: Block, values: Values) -> tuple[Numbers, Mask]:
        if not isinstance(values, Texts):
            numbers = compress(values, block.offset, block.scale)
            seen = ~np.isnan(numbers)
            return numbers if seen.all() else np.where(seen, numbers, MISSING), seen
        # Each distinct text is looked up once; index -1 stands for an unseen level.
        index = pc.fill_null(pc.index_in(values.distinct, self._vocabulary[block.position]), -1)
        known = self._codes[block.position][index.to_numpy(zero_copy_only=False)]
        absent = pc.is_null(values.distinct).to_numpy(zero_copy_only=False)
        codes = np.append(np.where(absent, np.float32(MISSING), known), np.float32(MISSING))[values.index]
        return codes, codes >= FIRST_LEVEL

    def _render(self, values: Floats, position: int, kind: pa.DataType, round: bool, clip: bool) -> pa.Array:
        block, column = self._layout.blocks[position], self._schema.features[position]
        if block.kind == "category":
            return render_labels(column, _labels(block, values), kind)
        decoded = expand(values, block.offset, block.scale)
        if clip and round:
            decoded = self._as_seen(block, decoded, column.kind == "datetime" and block.step >= 1)
        elif clip:
            decoded = np.clip(decoded, *self._range[position])
        return render_numbers(column, decoded, kind, block.integer, round)


def _share_missing(seen: int, rows: int) -> float:
    return 1 - seen / rows if rows else 0.0


def _split_levels(texts: list[str], counts: NDArray[np.intp], rows: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Levels by frequency, then by name: those with a separate code, and the rare ones."""
    order = sorted(zip(-counts, texts, strict=True))
    levels = tuple(text for _, text in order)
    if len(levels) <= ALL_LEVELS:
        return levels, ()
    frequent = sum(-count >= max(2, rows / 10_000) for count, _ in order[:MOST_LEVELS])
    return levels[:frequent], levels[frequent:]


def _labels(block: Block, codes: NDArray[np.floating], rare: NDArray[np.intp] | int = 0) -> pa.StringArray:
    """Return the names of codes [n]; the shared code of the rare levels stands for the most frequent, or `rare`."""
    names = pa.array([*block.levels, *block.rare], pa.string())
    index = np.round(np.nan_to_num(codes)).astype(np.int64) - FIRST_LEVEL
    none = (index < 0) | (index >= block.size)
    return names.take(pa.array(np.where(index == len(block.levels), index + rare, index), mask=none))
