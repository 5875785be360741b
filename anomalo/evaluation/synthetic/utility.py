"""Utility and distinguishability of synthetic rows, measured by gradient-boosted trees (TSTR and C2ST)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Mask
from anomalo.evaluation.synthetic.tables import Cells, Rows
from anomalo.models.learners.boosting import few_threads

MOST = 20_000
"""The trees are trained on at most so many rows of a table; a random sample of a longer one."""
LEVELS = 200
"""How many of a category's most frequent levels the trees see; the others are missing values to them."""
FOLDS = 5

Task = Literal["AUROC", "R2"]


def task(rows: Rows, label: str) -> Task:
    """Return what predictions of a column are measured by: the AUROC of a category, the R2 of a number."""
    return "AUROC" if rows.levels[rows.columns.index(label)] else "R2"


def usefulness(train: Rows, test: Rows, label: str, seed: int = 0) -> float:
    """Train trees to predict the label from all other columns, and return how good they are on other rows.

    With synthetic `train` and real `test` rows this is known as TSTR: train on synthetic, test on real.

    Returns
    -------
    float
        AUROC for a category (of several levels: the mean over pairs of levels), R2 for a number; NaN if the training
        rows hold fewer than two different labels, or the test rows do.

    Reference: Esteban, Hyland and Rätsch (2017), Real-valued (medical) time series generation with recurrent
    conditional GANs, arXiv:1706.02633; Hand and Till (2001), A simple generalisation of the area under the ROC curve
    for multiple class classification problems, Machine Learning 45.
    """
    at, rng = train.columns.index(label), np.random.default_rng(seed)
    train, test = (rows.take(~np.isnan(rows.cells[:, at])) for rows in (train, test))
    train = train.at_most(MOST, rng)
    known = [np.unique(rows.cells[:, at]) for rows in (train, test)]
    if min(map(len, known)) < 2:
        return float("nan")
    columns = np.arange(len(train.columns)) != at
    trees = _trees(train, columns, seed, regression=not train.levels[at])
    with few_threads(train.cells.size):
        trees.fit(_inputs(train, columns), train.cells[:, at])
    if not train.levels[at]:
        return float(trees.score(_inputs(test, columns), test.cells[:, at]))
    return _auroc(trees.predict_proba(_inputs(test, columns)), trees.classes_, test.cells[:, at])


def distinguishability(real: Rows, synthetic: Rows, seed: int = 0) -> float:
    """Return the AUROC of classifying rows as synthetic or real, cross-validated on equally many of each (C2ST).

    0.5 is indistinguishable, 1 is perfectly distinguishable; below 0.5 many synthetic rows equal real ones.

    Reference: Lopez-Paz and Oquab (2017), Revisiting classifier two-sample tests, ICLR.
    """
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    rng = np.random.default_rng(seed)
    count = min(len(real), len(synthetic), MOST // 2)
    parts = [rows.at_most(count, rng) for rows in (real, synthetic)]
    rows = Rows(real.columns, real.levels, np.concatenate([part.cells for part in parts]))
    truth = np.repeat([0, 1], count)
    if count < FOLDS:
        return float("nan")
    columns = np.ones(len(rows.columns), dtype=bool)
    matrix, found = _inputs(rows, columns), []
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(matrix, truth):
        trees = _trees(rows.take(train), columns, seed, regression=False)
        with few_threads(matrix.size):
            trees.fit(matrix[train], truth[train])
        found.append(roc_auc_score(truth[test], trees.predict_proba(matrix[test])[:, 1]))
    return float(np.mean(found))


def _trees(rows: Rows, columns: Mask, seed: int, *, regression: bool) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    # A category without a single known cell is none to scikit-learn.
    known = ~np.isnan(_inputs(rows, columns)).all(axis=0)
    return kind(categorical_features=rows.categories[columns] & known, early_stopping=False, random_state=seed)


def _inputs(rows: Rows, columns: Mask) -> Cells:
    cells = rows.cells[:, columns]
    return np.where(rows.categories[columns] & (cells >= LEVELS), np.nan, cells)


def _auroc(proba: Cells, classes: NDArray[Any], truth: Cells) -> float:
    """Return the AUROC; levels that the trees never saw have probability 0."""
    from sklearn.metrics import roc_auc_score

    present = np.unique(truth)
    columns = np.zeros((len(truth), len(present)))
    for at, level in enumerate(present):
        if level in classes:
            columns[:, at] = proba[:, np.searchsorted(classes, level)]
    if len(present) == 2:
        return float(roc_auc_score(truth == present[1], columns[:, 1]))
    pairs = []  # one by one: for multi_class="ovo" probabilities must sum to 1, and without absent levels they do not
    for one in range(len(present)):
        for other in range(len(present)):
            if one != other:
                chosen = (truth == present[one]) | (truth == present[other])
                pairs.append(roc_auc_score(truth[chosen] == present[one], columns[chosen, one]))
    return float(np.mean(pairs))
