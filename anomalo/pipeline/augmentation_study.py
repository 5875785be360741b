"""Whether synthetic rows help to learn a rare class: a cross-validated comparison with confidence intervals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.encoding.encoded import Scores
from anomalo.encoding.encoder import Encoder
from anomalo.errors import SourceError, UsageError
from anomalo.evaluation.metrics import average_precision
from anomalo.models.learners.boosting import few_threads
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.generator import CHUNK, Generator, repeated
from anomalo.registry.registry import Registry
from anomalo.tabular import parsing
from anomalo.tabular.column import MEASURED
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import Schema, SchemaOptions, infer

GENERATORS = ("smote", "latent", "edm", "cgan")
"""The generators that are compared with no synthetic rows and with class weights."""
BUDGETS: Mapping[str, Mapping[str, Any]] = {
    "edm": {"updates": 2000, "even": 0.5, "candidates": 0},  # few rare rows do not suffice to estimate density ratios
    "cgan": {"epochs": 30},
}
"""Hyperparameters of generators that by default take minutes for each part."""
FEWEST = 10
"""The study needs at least so many rows of the rare class."""
MOST = 5_000
"""At most so many rows are trained on: they suffice to see whether synthetic rows help."""
LEVEL = 0.95
WORTH = 0.01
"""The smallest gain in average precision that is worth a change."""
TRIED = 3
"""No generator is dropped before so many parts by default: fewer have no useful interval."""

Labels = NDArray[np.bool_]


@dataclass
class Trial:
    """One way to train a classifier.

    Attributes
    ----------
    method : str
        "none", "weights", or the name of the generator whose rows are added.
    precision : list of float
        The average precision on each held-out part.
    seconds : float
        The time of all parts together.
    failure : str or None
        Why it could not be tried.
    hopeless : bool
        Whether it was dropped before the last part, since no remaining outcome could have shown that it helps.
    """

    method: str
    precision: list[float] = field(default_factory=list)
    seconds: float = 0.0
    failure: str | None = None
    hopeless: bool = False

    def mean(self) -> float:
        """Return the mean average precision of the parts that it was tried on; nan if it was not."""
        return float(np.mean(self.precision)) if self.precision and not self.failure else float("nan")


@dataclass(frozen=True)
class Advice:
    """What helps to learn a rare class.

    Attributes
    ----------
    label, positive : str
        The column, and its value that is rarest.
    positives, rows : int
        How many rows have it, of how many.
    trials : list of Trial
        "none" first.
    held_out : float
        Rows held out in each part, relative to those trained on.
    """

    label: str
    positive: str
    positives: int
    rows: int
    trials: list[Trial]
    held_out: float

    def gain(self, trial: Trial, over: Trial) -> tuple[float, float, float]:
        """Return the mean gain in average precision, and the ends of its 95 % interval.

        Of the parts that `trial` was tried on; `over` was on all. The corrected resampled t interval: the parts'
        training rows overlap, so that a plain one would be too narrow.

        Reference: Nadeau and Bengio (2003), Inference for the generalization error, Machine Learning 52.
        """
        gains = _gains(trial, over)
        half = _reach(len(gains), self.held_out) * float(gains.std(ddof=1)) if len(gains) > 1 else float("inf")
        mean = float(gains.mean())
        return mean, mean - half, mean + half

    def best(self) -> Trial:
        """Return what to do: the simplest, unless another is better beyond doubt.

        Class weights have to beat none, and a generator the better of those two, each by an interval above 0 and by at
        least `WORTH`.
        """
        simple = self.trials[0]
        if self._better(self.trials[1], simple):
            simple = self.trials[1]
        tried = [trial for trial in self.trials[2:] if not (trial.failure or trial.hopeless)]
        rivals = [trial for trial in tried if self._better(trial, simple)]
        return max(rivals, key=Trial.mean, default=simple)

    def _better(self, trial: Trial, over: Trial) -> bool:
        mean, low, _ = self.gain(trial, over)
        return low > 0 and mean >= WORTH

    def recommendation(self) -> str:
        """Return in one sentence what to do."""
        best, none = self.best(), self.trials[0]
        what = f"{self.label} = {self.positive}"
        if best is none:
            return f"don't: neither weights nor synthetic rows help to find {what} beyond doubt; train on what you have"
        mean, low, high = self.gain(best, none)
        gain = f"average precision {none.mean():.3f} → {best.mean():.3f} ({mean:+.3f}, {low:+.3f} to {high:+.3f})"
        if best.method == "weights":
            return f"don't add synthetic rows: weight the classes instead, {gain}"
        return f"add rows of {best.method!r} for {what}: {gain}"


def advise(
    table: pa.Table,
    options: SchemaOptions,
    registry: Registry,
    *,
    generators: Sequence[str] = GENERATORS,
    params: Mapping[str, Mapping[str, Any]] = BUDGETS,
    seed: int = 0,
    folds: int = 5,
    repeats: int = 2,
    tried: int = TRIED,
    progress: Callable[[float, str], None] | None = None,
) -> Advice:
    """Train a classifier of the label's rarest value in several ways, and compare them on rows that none has seen.

    The classifier is gradient boosting (scikit-learn's HistGradientBoostingClassifier) on the encoded columns.
    Synthetic rows are of the rare class, drawn from a generator that was fitted on the training part alone, and as many
    as bring the rare class up to half of the other rows. A generator is dropped as soon as no outcome of the remaining
    parts could put the interval of its gain above 0: this never changes the advice.

    Parameters
    ----------
    params : mapping of str to mapping
        Hyperparameters of generators, by name.
    folds, repeats : int
        Stratified cross-validation, repeated.
    tried : int
        No generator is dropped before so many parts.
    progress : callable, optional
        Called with the share that is done, and a text.

    Raises
    ------
    UsageError
        There is no label, or it has not a rare class with enough rows.
    SourceError
        The table cannot be learned from.
    """
    if options.label is None:
        raise UsageError("advise needs a label: name the column of the classes with --label")
    read = ParsedTable(table)
    schema = infer(read, options)
    truth, positive = _truth(read, schema)
    table, truth = table.filter(pa.array(truth >= 0)), truth[truth >= 0] == 1
    trials = [Trial("none"), Trial("weights"), *(Trial(name) for name in generators)]
    parts = list(_parts(truth, folds, repeats, seed))
    held_out = len(parts[0][1]) / len(parts[0][0])
    for number, (train, test) in enumerate(parts):
        part = Part(table, schema, truth, positive, train, test, registry, seed + number)
        for at, trial in enumerate(trials):
            if progress is not None:
                progress((number + at / len(trials)) / len(parts), trial.method)
            part.run(trial, params.get(trial.method, {}))
        if tried <= number + 1 < len(parts):
            _give_up(trials, len(parts), held_out)
    return Advice(str(schema.label), positive, int(truth.sum()), len(truth), trials, held_out)


def hopeless(gains: NDArray[np.float64], parts: int, held_out: float) -> bool:
    """Whether no gains in the parts that are left could put the interval of all `parts` gains (see `gain`) above 0.

    The mean is greatest beside the standard deviation where all gains x to come are equal, and then where the cosine
    between (gains, x, …, x) and (1, …, 1) is. Its greatest square is (left + (Σ gains)² / Σ gains²) / parts, at
    x = Σ gains² / Σ gains, or left / parts if Σ gains is not above 0, as x grows.

    Parameters
    ----------
    gains : float64 [tried]
        Those so far.
    held_out : float
        Rows held out in each part, relative to those trained on.
    """
    total, squares = max(float(gains.sum()), 0.0), float(gains @ gains)
    cosine = (parts - len(gains) + (total**2 / squares if squares else 0.0)) / parts
    return cosine * (parts - 1) <= _reach(parts, held_out) ** 2 * parts * (1 - cosine)


def _give_up(trials: list[Trial], parts: int, held_out: float) -> None:
    """Mark the generators that are hopeless beside each of the simple ways that may yet be the better one."""
    none, weights = trials[:2]
    simple = [none] if hopeless(_gains(weights, none), parts, held_out) else [none, weights]
    for trial in trials[2:]:
        if not (trial.failure or trial.hopeless):
            trial.hopeless = all(hopeless(_gains(trial, over), parts, held_out) for over in simple)


def _gains(trial: Trial, over: Trial) -> NDArray[np.float64]:
    """Return the gains in average precision in the parts that `trial` was tried on."""
    return np.asarray(np.subtract(trial.precision, over.precision[: len(trial.precision)]), dtype=np.float64)


def _reach(parts: int, held_out: float) -> float:
    """Return how many standard deviations of the parts' gains the interval reaches to either side."""
    from scipy.stats import t

    return float(t.ppf((1 + LEVEL) / 2, parts - 1)) * float(np.sqrt(1 / parts + held_out))


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


def _parts(truth: Labels, folds: int, repeats: int, seed: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    from sklearn.model_selection import RepeatedStratifiedKFold

    splits = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
    for train, test in splits.split(truth, truth):
        yield _fewer(train, truth, seed), test


def _fewer(train: NDArray[np.intp], truth: Labels, seed: int) -> NDArray[np.intp]:
    """Return at most `MOST` of the rows, those of the rare class first."""
    if len(train) <= MOST:
        return train
    rare, others = train[truth[train]], train[~truth[train]]
    rng = np.random.default_rng(seed)
    kept = rng.permutation(rare)[: MOST // 2]
    return np.sort(np.concatenate([kept, rng.permutation(others)[: MOST - len(kept)]]))


@dataclass
class Part:
    """Some rows of a table held out, and others trained on.

    Attributes
    ----------
    table : Table [n]
        With its label.
    schema : Schema
        Its columns.
    truth : bool [n]
        Which rows are of the rare class.
    positive : str
        The label's value in those.
    train, test : int
        Row numbers.
    registry : Registry
        Where generators come from.
    seed : int
        Everything random follows from it.
    """

    table: pa.Table
    schema: Schema
    truth: Labels
    positive: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    registry: Registry
    seed: int

    def __post_init__(self) -> None:
        self.rows = ParsedTable(self.table.take(self.train))
        encoder = self.registry.encoder(self.schema.modality)()
        self.encoder: Encoder = encoder.fit(self.schema.parse(self.rows), self.schema)
        self.inputs = self._encoded(self.rows), self.truth[self.train]
        self.unseen = self._encoded(self.table.take(self.test)), self.truth[self.test]

    def _encoded(self, table: pa.Table | ParsedTable) -> Scores:
        """Return the encoded cells, float64 [n, columns]; nan for a missing value."""
        data = self.encoder.encode(self.schema.parse(table))
        return np.where(data.observed, data.values, np.nan).astype(np.float64)

    def run(self, trial: Trial, params: Mapping[str, Any]) -> None:
        """Train and assess one way on this part."""
        if trial.failure or trial.hopeless:
            return
        started = time.perf_counter()
        inputs, truth = self.inputs
        try:
            if trial.method not in ("none", "weights"):
                synthetic = self._synthetic(trial.method, params)
                inputs = np.concatenate([inputs, synthetic])
                truth = np.concatenate([truth, np.ones(len(synthetic), dtype=np.bool_)])
            scores = self._scores(inputs, truth, "balanced" if trial.method == "weights" else None)
            trial.precision.append(average_precision(self.unseen[1], scores))
        except (UsageError, SourceError, ValueError, RuntimeError) as error:
            trial.failure = str(error)
        trial.seconds += time.perf_counter() - started

    def _synthetic(self, name: str, params: Mapping[str, Any]) -> Scores:
        """Return encoded synthetic rows of the rare class."""
        config = FitConfig(name, params, seed=self.seed, calibrate=False, goals=frozenset({"sample"}))
        fitted = Fitted.fit(self.rows, self.schema, config, self.registry).fitted
        fitted.require("sample")
        label = str(self.schema.label)
        count = max(int((~self.inputs[1]).sum() // 2 - self.inputs[1].sum()), 0)
        generator = Generator(fitted, seed=self.seed, device="cpu")
        same = repeated(fitted, {label: self.positive}, min(count, CHUNK))
        batches = [generator.rows(same.slice(0, min(CHUNK, count - at))) for at in range(0, count, CHUNK)]
        return self._encoded(pa.Table.from_batches(batches)) if batches else self.inputs[0][:0]

    def _scores(self, inputs: Scores, truth: Labels, weight: str | None) -> Scores:
        from sklearn.ensemble import HistGradientBoostingClassifier

        categories = [block.kind == "category" for block in self.encoder.layout.blocks]
        model = HistGradientBoostingClassifier(
            categorical_features=categories, class_weight=weight, random_state=self.seed, early_stopping=False
        )
        with few_threads(inputs.size):
            return np.asarray(model.fit(inputs, truth).predict_proba(self.unseen[0])[:, 1], dtype=np.float64)
