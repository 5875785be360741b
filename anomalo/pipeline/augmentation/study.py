"""Whether synthetic rows help to learn a rare class: a cross-validated comparison with confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.errors import TrainingError, UsageError
from anomalo.pipeline.augmentation.advice import Advice, Trial, give_up
from anomalo.pipeline.augmentation.image_part import ImagePart
from anomalo.pipeline.augmentation.part import Labels, Part
from anomalo.pipeline.augmentation.table_part import TablePart
from anomalo.registry.registry import Registry
from anomalo.tabular import parsing
from anomalo.tabular.column import IMAGE, MEASURED, TABLE
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import Schema, SchemaOptions, infer

PARTS: Mapping[str, type[Part]] = {TABLE: TablePart, IMAGE: ImagePart}
"""What is tried, by the rows' modality."""
FEWEST = 10
"""The study needs at least so many rows of the rare class."""
TRIED = 3
"""No generator is dropped before so many parts by default: fewer have no useful interval."""


def advise(
    table: pa.Table,
    options: SchemaOptions,
    registry: Registry,
    *,
    generators: Sequence[str] = (),
    params: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
    folds: int = 5,
    repeats: int = 2,
    tried: int = TRIED,
    progress: Callable[[float, str], None] | None = None,
) -> Advice:
    """Train a classifier of the label's rarest value in several ways, and compare them on rows that none has seen.

    The classifier of tables is gradient boosting (scikit-learn's HistGradientBoostingClassifier) on the encoded
    columns, that of images the model `classifier`; to weight classes of images is to show the rare ones more often.
    Synthetic rows are of the rare class, drawn from a generator that was fitted on the training part alone, and as many
    as bring the rare class up to half of the other rows. A generator is dropped as soon as no outcome of the remaining
    parts could put the interval of its gain above 0: this never changes the advice.

    Parameters
    ----------
    generators : sequence of str
        By default those of the rows' modality.
    params : mapping of str to mapping, optional
        Hyperparameters of generators, by name; by default those that keep the study short.
    folds, repeats : int
        Stratified cross-validation, repeated.
    tried : int
        No generator is dropped before so many parts.
    progress : callable, optional
        Called with the share that is done, and a text.

    Raises
    ------
    UsageError
        There is no label, or it has not a rare class with enough rows; or a generator is for other rows.
    SourceError
        The table cannot be learned from.
    TrainingError
        The classifier cannot be trained on the real rows.
    """
    if options.label is None:
        raise UsageError("advise needs a label: name the column of the classes with --label")
    schema = infer(read := ParsedTable(table), options)
    kind = _kind(schema.modality, generators, registry)
    truth, positive = _truth(read, schema)
    table, truth = table.filter(pa.array(truth >= 0)), truth[truth >= 0] == 1
    trials = [Trial("none"), Trial("weights"), *(Trial(name) for name in generators or kind.generators)]
    parts = list(_parts(truth, folds, repeats, seed, kind.most))
    held_out = len(parts[0][1]) / len(parts[0][0])
    for number, (train, test) in enumerate(parts):
        part = kind(table, schema, truth, positive, train, test, registry, seed + number)
        for share, trial in _trying_out(part, trials, kind.budgets if params is None else params):
            if progress is not None:
                progress((number + share) / len(parts), trial.method)
        if tried <= number + 1 < len(parts):
            give_up(trials, len(parts), held_out)
    return Advice(str(schema.label), positive, int(truth.sum()), len(truth), trials, held_out)


def _kind(modality: str, generators: Sequence[str], registry: Registry) -> type[Part]:
    """Return what is tried with rows of a modality, if all that it needs is there; raises as `advise` does."""
    if modality not in PARTS:
        raise UsageError(f"advice is for tables and images; got rows of modality {modality!r}")
    PARTS[modality].check(registry)
    for name in generators:
        registry.get(name, modality)
    return PARTS[modality]


def _trying_out(
    part: Part, trials: Sequence[Trial], budgets: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[float, Trial]]:
    """Run all trials on a part; yield before each the share that is done."""
    for at, trial in enumerate(trials):
        yield at / len(trials), trial
        part.run(trial, budgets.get(trial.method, {}))
        if at < 2 and trial.failure:
            raise TrainingError(f"the classifier that synthetic rows should help cannot be trained: {trial.failure}")


def _truth(table: ParsedTable, schema: Schema) -> tuple[NDArray[np.int8], str]:
    """Return 1 for rows of the rarest class, 0 for others and -1 where there is no label, and the class."""
    column = schema.column(str(schema.label))
    if column.kind in (set(MEASURED) - {"integer"}):
        raise UsageError(f"label {column.name!r} is a {column.kind}; expected classes")
    texts = parsing.parse(column, table.cells(column.name), replace(schema.reading, infinite="missing"))
    names = np.array([None if text is None else _plain(text) for text in texts.to_pylist()], dtype=object)
    known = np.array([name is not None for name in names])
    levels, counts = np.unique(names[known].astype(str), return_counts=True)
    if len(levels) < 2 or counts.min() < FEWEST:
        got = ", ".join(f"{level} ({count:,})" for level, count in zip(levels[:6], counts, strict=False))
        raise UsageError(f"label {column.name!r}: expected two or more classes of at least {FEWEST} rows, got {got}")
    rare = str(levels[counts.argmin()])
    return np.where(known, (names == rare).astype(np.int8), np.int8(-1)), rare


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parts(
    truth: Labels, folds: int, repeats: int, seed: int, most: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    from sklearn.model_selection import RepeatedStratifiedKFold

    splits = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
    for train, test in splits.split(truth, truth):
        yield _fewer(train, truth, seed, most), test


def _fewer(train: NDArray[np.intp], truth: Labels, seed: int, most: int) -> NDArray[np.intp]:
    """Return at most `most` of the rows, those of the rare class first."""
    if len(train) <= most:
        return train
    rare, others = train[truth[train]], train[~truth[train]]
    rng = np.random.default_rng(seed)
    kept = rng.permutation(rare)[: most // 2]
    return np.sort(np.concatenate([kept, rng.permutation(others)[: most - len(kept)]]))
