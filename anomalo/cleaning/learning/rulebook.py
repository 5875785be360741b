"""The rules of a column, found from its corrected cells, each with how often it was right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.learning.labels import Answer
from anomalo.cleaning.learning.rules import Rule, proposals
from anomalo.cleaning.learning.ways.known import EVERY, OF_ONE_TEXT

PRIOR = 2.0
"""A rule's trust before any hit or miss counts as so many of them."""
MOST_TRIED = 600
MOST = 6
"""So many rules of a column are kept of each way, but all replacements of whole texts."""
ROWS = 100
"""Rules that rewrite so many rows alike are one."""
COPIED = 0.5
"""Texts of other columns agree by chance: such rules are trusted less by this factor."""


@dataclass(frozen=True)
class WeightedRule:
    """A rule with its record on the labelled cells of its column.

    Attributes
    ----------
    rule : Rule
        What it does.
    hits, misses : int
        Wrong cells that it rewrites as they should be, and otherwise.
    breaks : int
        Right cells that it would change.
    agreement : float
        For a text made from another column: the share of all cells that have it already.
    """

    rule: Rule
    hits: int
    misses: int
    breaks: int
    agreement: float = 0.0

    @property
    def trust(self) -> float:
        """The probability that it rewrites a wrong cell rightly, by Laplace's rule; its first hit proposes it."""
        usual = EVERY[self.rule.way].trust * (COPIED if self.rule.source is not None else 1.0)
        return (self.hits - 1 + PRIOR * max(usual, self.agreement)) / (self.hits - 1 + self.misses + PRIOR)

    @property
    def precision(self) -> float:
        """The share of hits among all labelled cells that it would change, by Laplace's rule."""
        return (self.hits + 1) / (self.hits + self.misses + self.breaks + 2)

    def to_json(self) -> dict[str, object]:
        """Return the rule and its record as plain values."""
        record = {"hits": self.hits, "misses": self.misses, "breaks": self.breaks, "agreement": self.agreement}
        return {**self.rule.to_json(), **record}

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> WeightedRule:
        """Rebuild a rule from `to_json`."""
        hits, misses, breaks = (int(str(values[name])) for name in ("hits", "misses", "breaks"))
        return cls(Rule.from_json(values), hits, misses, breaks, float(str(values["agreement"])))


def rulebook(table: CodedTable, column: str, answers: Sequence[Answer]) -> list[WeightedRule]:
    """Return the rules of a column by its labelled cells, the most trusted ones first, replacements of texts last."""
    rows = [_row(table, answer.row) for answer in answers]
    found: Counter[Rule] = Counter()
    for answer, row in zip(answers, rows, strict=True):
        if answer.wrong and answer.value is not None:
            others = {name: text for name, text in row.items() if name != column}
            found.update(dict.fromkeys(proposals(row[column], answer.value, others)).keys())
    weighted = [_weighted(rule, column, answers, rows) for rule, _ in found.most_common(MOST_TRIED)]
    weighted = [replace(one, agreement=_agreement(table, column, one.rule)) for one in weighted]
    weighted.sort(key=lambda one: (one.rule.way in OF_ONE_TEXT, -one.precision * one.trust, -one.hits))
    return _different(table, column, weighted)


def _agreement(table: CodedTable, column: str, rule: Rule) -> float:
    """Return the share of some rows whose cell is what the rule makes from another column, by Laplace's rule."""
    if rule.source is None:
        return 0.0
    target, source = (table.columns[table.names.index(name)] for name in (column, rule.source))
    rows = _some(table)
    made = [rule.rewritten(source.values[code]) for code in source.codes[rows]]
    agreed = [text == target.values[code] for text, code in zip(made, target.codes[rows], strict=True) if text]
    return float(sum(agreed) / (len(agreed) + 2))


def _some(table: CodedTable) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, table.rows - 1, ROWS).astype(np.int64))


def _different(table: CodedTable, column: str, ranked: Sequence[WeightedRule]) -> list[WeightedRule]:
    """Return the first rules of each way, without those that rewrite the cells as an earlier one does."""
    rows = _some(table)
    kept: list[WeightedRule] = []
    seen: set[tuple[str | None, ...]] = set()
    counts: Counter[tuple[str, bool]] = Counter()
    for one in ranked:
        kind = (one.rule.way, one.rule.source is None)
        if one.rule.way not in OF_ONE_TEXT:
            if counts[kind] >= MOST:
                continue
            position, texts = one.rule.outputs(table, table.columns[table.names.index(column)], rows)
            made = (*(texts[at] for at in position), f"{one.hits} {one.misses} {one.breaks}")
            if made in seen:
                continue
            seen.add(made)
            counts[kind] += 1
        kept.append(one)
    return kept


def _row(table: CodedTable, row: int) -> dict[str, str]:
    return {column.name: column.values[column.codes[row]] for column in table.columns}


def _weighted(rule: Rule, column: str, answers: Sequence[Answer], rows: Sequence[Mapping[str, str]]) -> WeightedRule:
    hits = misses = breaks = 0
    for answer, row in zip(answers, rows, strict=True):
        text = rule.rewritten(row[rule.source or column]) if rule.holds(row[column]) else None
        if text is None or text == row[column]:
            continue
        breaks += not answer.wrong
        hits += answer.wrong and text == answer.value
        misses += answer.wrong and answer.value is not None and text != answer.value
    return WeightedRule(rule, hits, misses, breaks)
