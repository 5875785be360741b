"""Which texts of a column were taken as missing cells, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from anomalo.tabular import parsing
from anomalo.tabular.column import LEFT_OUT, MEASURED, Column
from anomalo.tabular.quantities import count
from anomalo.tabular.understanding.names import option
from anomalo.tabular.understanding.reading import Reading
from anomalo.tabular.understanding.sample import Sample

_PLAIN = frozenset(("", "na", "nan", "null", "n/a"))
_FEW = 400


def taken(column: Column, sample: Sample, mine: Reading, usual: bool) -> dict[str, int]:
    """Return the texts that stand for a missing cell, and how many cells have each; `sample` has all texts."""
    absent = np.asarray(parsing.absent(column, sample.texts, mine, usual), dtype=np.bool_)
    if not absent.any():
        return {}
    found = sample.only(absent)
    return dict(zip(found.texts.to_pylist(), found.counts.tolist(), strict=True))


def values(sample: Sample) -> tuple[str, ...]:
    """Return the texts that are values of a typed column, and would stand for a missing cell in a text file."""
    known = np.asarray(parsing.is_missing(sample.texts, "category"), dtype=np.bool_)
    return tuple(text for text in sample.only(known).texts.to_pylist() if text)


def warn(column: Column, tokens: Mapping[str, int], sample: Sample, mine: Reading) -> list[str]:
    """Return the warning about texts that may be values, with the option that keeps them."""
    if column.kind in MEASURED | LEFT_OUT or column.kind == "boolean":
        return []
    levels = sample.only(~np.isin(np.array(sample.texts.to_pylist(), dtype=object), list(tokens))) if tokens else sample
    doubtful = {
        token: cells
        for token, cells in tokens.items()
        if token and token not in mine.missing and (token.lower() not in _PLAIN or _like(token, levels))
    }
    if not doubtful:
        return []
    what = " and ".join(f"{count(cells, 'cell')} {token!r}" for token, cells in doubtful.items())
    hints = " ".join(option("--keep", f"{column.name}={token}") for token in doubtful)
    are, keeps = ("is", "keeps it") if sum(doubtful.values()) == 1 else ("are", "keeps them")
    return [f"column {column.name!r}: {what} {are} taken as missing; {hints} {keeps} as a value"]


def _like(token: str, levels: Sample) -> bool:
    """Whether a token looks like most levels, such as NA among the codes of continents."""
    if not 2 <= len(levels.texts) <= _FEW:
        return False
    alike = [len(text) == len(token) and text.isupper() == token.isupper() for text in levels.texts.to_pylist()]
    return bool(2 * sum(alike) > len(alike))
