"""How improbable the characters of a table's texts are, by a model of texts that is fitted on them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.cleaning.cleaner import Spelling, by_trigrams
from anomalo.cleaning.coded import CodedColumn, CodedTable
from anomalo.cleaning.features import Characters, trigrams
from anomalo.encoding.encoded import Encoded
from anomalo.encoding.text_encoder import COLUMN, TEXT, TextEncoder
from anomalo.models.guarded import GuardedModel
from anomalo.pipeline.config import FitConfig
from anomalo.registry.registry import Registry
from anomalo.tabular.columns import Columns
from anomalo.tabular.parsing import Texts
from anomalo.tabular.schema import Schema

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

TRIGRAMS = "trigrams"
LEARNED = 8000
"""So many distinct texts are learned from, the most frequent ones of each column."""
BATCH = 8192


def spelling_by(model: str, registry: Registry) -> Spelling:
    """Return what says how improbable characters are: `TRIGRAMS` alone, or with a model of texts by its name.

    Raises
    ------
    UsageError
        There is no such model of texts.
    """
    if model == TRIGRAMS:
        return by_trigrams
    config = FitConfig(model)
    config.create(registry, TextEncoder.modality)
    return lambda table: characters_of(table, config, registry)


def characters_of(table: CodedTable, config: FitConfig, registry: Registry) -> Characters:
    """Return the mean of two surprisals: by the trigrams of a column, and by a model of texts at the scale of these.

    What learns from the evidence about cells has learned the distribution of the trigrams' surprisals. Those of the
    model are brought to it, over all cells of the table's reference, without a change of their order.

    Parameters
    ----------
    table, config, registry
        As of `model_surprisals`.

    Returns
    -------
    Characters
        For a column of the table: the largest and the mean surprisal of each of its distinct texts, [k, 2] in nats.
    """
    if not any(column.distinct for column in table.columns):
        return trigrams
    by_model = model_surprisals(table, config, registry)
    found, usual = ([of(column) for column in table.columns] for of in (by_model, trigrams))
    counts = np.concatenate([column.counts for column in table.columns])
    known = counts > 0
    scales = [(np.concatenate(found)[known, at], np.concatenate(usual)[known, at], counts[known]) for at in range(2)]
    both = {}
    for column, mine, theirs in zip(table.columns, found, usual, strict=True):
        matched = [at_scale_of(*scale, mine[:, at]) for at, scale in enumerate(scales)]
        both[column.name] = (theirs + np.stack(matched, axis=1)) / 2
    return lambda column: both[column.name]


def at_scale_of(found: Floats, like: Floats, weights: NDArray[np.int64], values: Floats) -> Floats:
    """Return the quantiles of `like` [k] at the levels that values [m] have among `found` [k], both weighted.

    Examples
    --------
    >>> once = np.ones(3, dtype=np.int64)
    >>> at_scale_of(np.array([1.0, 2.0, 3.0]), np.array([90.0, 10.0, 50.0]), once, np.array([3.0, 2.5, 9.0]))
    array([90., 70., 90.])
    """
    level = np.interp(values, *_levels(found, weights))
    quantile, shares = _levels(like, weights)
    return np.interp(level, shares, quantile)


def _levels(values: Floats, weights: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return distinct values, ascending, and the shares of the weight below the middle of each."""
    distinct, index = np.unique(values, return_inverse=True)
    mass = np.bincount(index, weights=weights)
    return distinct, (np.cumsum(mass) - mass / 2) / mass.sum()


def model_surprisals(table: CodedTable, config: FitConfig, registry: Registry) -> Characters:
    """Fit a model of texts on a table's distinct texts, and return the surprisals of the characters of its columns.

    Where the table has a reference, only its texts are learned from. A text that n rows have is repeated 1 + log2(n)
    times, rounded down, so that the characters of a rare one are less likely than those of a usual one.

    Parameters
    ----------
    config : FitConfig
        Which model of modality "text", its settings, the seed and the device.

    Returns
    -------
    Characters
        For a column of the table: the largest and the mean surprisal of each of its distinct texts, [k, 2] in nats.
    """
    each = LEARNED // max(len(table.columns), 1)
    learned = [_most_frequent(column, each) for column in table.columns]
    chosen = list(zip(table.columns, learned, strict=True))
    names = [column.name for column, some in chosen for _ in some]
    rows = _columns(names, [column.short[at] for column, some in chosen for at in some])
    counts = np.concatenate([column.counts[some] for column, some in chosen])
    encoder = TextEncoder().fit(rows, Schema((), rows.rows))
    data, repeats = encoder.encode(rows), 1 + np.log2(np.maximum(counts, 1)).astype(np.intp)
    run = config.run(registry, TextEncoder.modality, 0, 1)
    model = config.create(registry, TextEncoder.modality).fit(data.take(np.repeat(np.arange(len(data)), repeats)), run)

    def surprisals(column: CodedColumn) -> Floats:
        parts = [
            _surprisals(model, encoder.encode(_columns([column.name] * len(texts), texts)), texts)
            for texts in (column.short[at : at + BATCH] for at in range(0, len(column.short), BATCH))
        ]
        return np.concatenate(parts) if parts else np.zeros((0, 2))

    return surprisals


def _most_frequent(column: CodedColumn, most: int) -> Rows:
    """Return the positions of the reference's most frequent texts; of equally frequent ones the least checksums."""
    key = np.array([zlib.crc32(value.encode("utf-8", "surrogatepass")) for value in column.short])
    return np.lexsort((key, -column.counts))[: min(most, column.distinct)]


def _columns(names: Sequence[str], texts: Sequence[str]) -> Columns:
    return Columns(len(texts), {COLUMN: _coded(names), TEXT: _coded(texts)})


def _coded(texts: Sequence[str]) -> Texts:
    coded = pa.array(texts, pa.string()).dictionary_encode()
    return Texts(coded.dictionary, coded.indices.to_numpy(zero_copy_only=False).astype(np.int32))


def _surprisals(model: GuardedModel, data: Encoded, texts: Sequence[str]) -> Floats:
    """Return the largest and the mean surprisal of the characters of texts, [k, 2]."""
    cells = np.minimum([len(text) + 1 for text in texts], data.values.shape[1] - 1)
    surprisal = model.explain(data).contribution[:, 1:]
    return np.stack([surprisal.max(axis=1), surprisal.sum(axis=1) / cells], axis=1)
