"""The suspected cells of a table as lines: what each holds, what it should hold, how probably, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedColumn, CodedTable
from anomalo.cleaning.evidence.disguises import STANDARD_GRADE
from anomalo.cleaning.examined import Examined
from anomalo.cleaning.features import ColumnEvidence
from anomalo.cleaning.learning.learned import Learned
from anomalo.cleaning.learning.rulebook import WeightedRule
from anomalo.cleaning.reasons import sentences
from anomalo.cleaning.suspects import Suspects

CELLS = pa.schema(
    [
        ("row", pa.int64()),
        ("column", pa.string()),
        ("observed", pa.string()),
        ("suggestion", pa.string()),
        ("probability", pa.float64()),
        ("suggestion_probability", pa.float64()),
        ("kind", pa.string()),
        ("reason", pa.string()),
        ("rule", pa.string()),
    ]
)
Rows = NDArray[np.int64]

LEAST_CHANCE = 0.2
"""A suggestion that is less probably right, if the cell is wrong, is not listed."""


def listed(examined: Examined, found: Suspects, rows: Rows, learned: Learned | None = None) -> pa.Table:
    """Return a line for each suspected cell of some rows, the most probable first.

    Parameters
    ----------
    examined : Examined
        The cells and the evidence about them.
    found : Suspects
        What was found in them.
    rows : int64 array [n]
        The rows' positions in the table; `row` of a line is one in this array.
    learned : Learned, optional
        What answers taught.

    Returns
    -------
    Table
        As `CELLS` says. A `suggestion` is null where there is none, and empty where the cell is to be missing;
        `suggestion_probability` is that of the cell being wrong and the suggestion right. `rule` is what answers taught
        of how such cells are rewritten, if the suggestion is made so.
    """
    if not len(rows):
        return CELLS.empty_table()
    rules = {} if learned is None else learned.rules
    parts = [_of_column(examined, at, found, rows, rules.get(name, [])) for at, name in enumerate(examined.table.names)]
    lines = pa.concat_tables(parts)
    probability, row = (lines.column(name).to_numpy() for name in ("probability", "row"))
    return lines.take(pa.array(np.lexsort((row, -probability))))


def _of_column(examined: Examined, at: int, found: Suspects, rows: Rows, rules: Sequence[WeightedRule]) -> pa.Table:
    evidence = examined.evidence[at]
    column = evidence.column
    lines = np.flatnonzero(_shown(evidence, found, at)[rows])
    here = rows[lines]
    probability, suggested = found.probability[here, at], found.suggested[here, at]
    likely = suggested >= LEAST_CHANCE * probability
    suggestions = [text if shown else None for text, shown in zip(found.suggestion[here, at], likely, strict=True)]
    there = np.array([text is not None for text in suggestions], dtype=np.bool_)
    kinds = [str(kind) for kind in found.kind[here, at]]
    reasons = sentences(examined.table, evidence, here, kinds, suggestions)
    rule = _by_rules(examined.table, column, here, suggestions, rules)
    reasons = [
        text if one is None else f"as answers say, {one}; {text}" for one, text in zip(rule, reasons, strict=True)
    ]
    columns = [
        pa.array(lines, pa.int64()),
        pa.array([column.name] * len(lines), pa.string()),
        pa.array([column.values[code] for code in column.codes[here]], pa.string()),
        pa.array(suggestions, pa.string()),
        pa.array(probability),
        pa.array(suggested, mask=~there),
        pa.array(kinds, pa.string()),
        pa.array(reasons, pa.string()),
        pa.array(rule, pa.string()),
    ]
    return pa.table(columns, schema=CELLS)


def _by_rules(
    table: CodedTable, column: CodedColumn, rows: Rows, suggestions: Sequence[str | None], rules: Sequence[WeightedRule]
) -> list[str | None]:
    """Return the first rule, in words, that rewrites each of some cells [m] as suggested; None where none does."""
    found: list[str | None] = [None] * len(rows)
    for rule in rules:
        codes, texts = rule.rule.outputs(table, column)
        for line, (code, suggestion) in enumerate(zip(codes[rows], suggestions, strict=True)):
            if found[line] is None and suggestion is not None and texts[code] == suggestion:
                found[line] = rule.rule.describe(column.name)
    return found


def _shown(evidence: ColumnEvidence, found: Suspects, at: int) -> NDArray[np.bool_]:
    """Return which cells [n] are listed: the flagged ones, and texts that always stand for a missing value."""
    standard = evidence.disguised[evidence.column.codes] == STANDARD_GRADE
    shown: NDArray[np.bool_] = found.flagged[:, at] | (standard & (found.kind[:, at] != ""))
    return shown
