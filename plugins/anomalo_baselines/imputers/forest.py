"""The imputer `forest`: random forests predict each column from the imputed others (MissForest), also in new rows."""

import warnings
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from anomalo.errors import ParameterError
from anomalo.plugin import (
    FIRST_LEVEL,
    ROW_BLOCK,
    Block,
    CanImpute,
    ConditionalImputer,
    Encoded,
    Floats,
    Run,
    Scores,
    Trees,
    concatenated,
    flatten_forest,
    out_of_bag,
    param,
    round_down_to_float32,
)

SMALLEST_LEAF = {"number": 3, "category": 2}
"""The fewest training rows of a leaf."""
FEATURES = 0.5
"""Share of the columns that are considered for a split."""


@dataclass(kw_only=True)
class ForestImputer(ConditionalImputer):
    """A random forest for each column, for regression or classification, on the other columns, imputed.

    The inputs are imputed by another model in the first round, by the last round's forests in the next. The other model
    imputes with the predicted column hidden, as it will be when the forest is used: inputs that depend on the truth
    would teach a forest to rely on them. New rows go through the same rounds. Probabilities of levels are the mean of
    the leaves' shares; intervals of numbers follow from out-of-bag residuals.

    Reference: Stekhoven and Bühlmann (2012), MissForest: non-parametric missing value imputation for mixed-type data,
    Bioinformatics 28; Breiman (2001), Random forests, Machine Learning 45.

    Examples
    --------
    >>> ForestImputer(start="chained", rounds=1).params()
    {'trees': 50, 'rounds': 1, 'start': 'chained'}
    """

    name = "forest"

    trees: int = param(50, low=1, high=10_000, help="Trees of each forest.")
    rounds: int = param(
        3, low=1, high=100, help="How often all columns are predicted; once is enough from a good start."
    )
    start: str = param("mean", help="The imputer that the first round starts from.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Grow the forests.

        Raises
        ------
        ParameterError
            The model to start from does not impute, or is a forest itself.
        """
        start = run.create(self.start)
        if not isinstance(start, CanImpute) or isinstance(start, ForestImputer):
            raise ParameterError(f"start={self.start!r}: expected a model that imputes, such as mean or chained")
        self.start_: Any = start.fit(data, run)
        seeds = np.random.default_rng(run.seed)
        grown: list[tuple[int, Block, Any]] = []
        held_out = {}
        filled: Floats = self.start_.impute(data).point
        for number in range(self.rounds):
            given, last = filled.copy(), number == self.rounds - 1
            for block in _forested(data, last):
                column, seen = block.position, data.observed[:, block.position]
                inputs = _others(given if number else self._without(data, column), column)
                truth = data.values[seen, column]
                forest = self._grow(inputs[seen], truth, block, int(seeds.integers(2**31)))
                grown.append((number, block, forest))
                if not seen.all():
                    filled[~seen, column] = forest.predict(inputs[~seen])
                if last and block.kind == "number":
                    predicted, unseen = out_of_bag(forest, inputs[seen])
                    held_out[column] = predicted[unseen > 0, 0], truth[unseen > 0]
        self._flatten(grown)
        self.remember(data, run, held_out)
        return self

    def _without(self, data: Encoded, column: int) -> Floats:
        """Return the rows as the first model imputes them with a column hidden."""
        hidden = np.broadcast_to(np.arange(data.values.shape[1]) == column, data.observed.shape)
        filled: Floats = self.start_.impute(data.hide(hidden)).point
        return filled

    def _grow(self, inputs: Floats, truth: Floats, block: Block, seed: int) -> Any:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        kind = RandomForestRegressor if block.kind == "number" else RandomForestClassifier
        forest = kind(
            n_estimators=self.trees,
            min_samples_leaf=SMALLEST_LEAF[block.kind],
            max_features=FEATURES,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The number of unique classes")  # levels are classes however many
            return forest.fit(inputs, truth)

    def _flatten(self, grown: list[tuple[int, Block, Any]]) -> None:
        """Concatenate all trees, and the predictions of their leaves."""
        self.forests_ = np.array([(number, block.position) for number, block, _ in grown], np.int64).reshape(-1, 2)
        trees = [tree.tree_ for _, _, forest in grown for tree in forest.estimators_]
        flat = flatten_forest(trees)
        shape = (len(grown), self.trees)
        self.roots_, self.depths_ = flat.roots.reshape(shape), flat.depths.reshape(shape)
        self.feature_, self.children_ = flat.feature, flat.children
        self.threshold_ = round_down_to_float32(flat.threshold)
        values = [_leaf_values(tree.tree_, forest, block) for _, block, forest in grown for tree in forest.estimators_]
        self.values_ = concatenated(values, np.float32)
        sizes = [np.where(tree.children_left < 0, value.shape[1], 0) for tree, value in zip(trees, values, strict=True)]
        self.first_ = np.cumsum(np.append(0, concatenated(sizes, np.int64)), dtype=np.int64)[:-1]

    def predict(self, data: Encoded) -> tuple[Floats, dict[int, Floats]]:
        """Return the predictions of the last round's forests, and the levels' probabilities by position."""
        predicted = self.start_.impute(data).point.copy()
        sizes = {int(position): data.layout.blocks[position].size for position in data.layout.categories}
        proba = {at: np.full((len(data), size), 1 / max(1, size), dtype=np.float32) for at, size in sizes.items()}
        given = predicted
        for forest, (number, position) in enumerate(self.forests_):
            if not forest or number != self.forests_[forest - 1, 0]:
                given = predicted.copy()
            rows = np.flatnonzero(~data.observed[:, position])
            inputs = _others(given[rows], position)
            values = self._values(forest, inputs, sizes.get(int(position), 1))
            if int(position) in sizes:
                proba[int(position)][rows] = values
                predicted[rows, position] = FIRST_LEVEL + values.argmax(axis=1)
            else:
                predicted[rows, position] = values[:, 0]
        return predicted, proba

    def _values(self, forest: int, inputs: Floats, size: int) -> Scores:
        """Return the mean of the trees' leaves for rows [n, columns - 1], float64 [n, size]."""
        trees = Trees(self.roots_[forest], self.depths_[forest], self.feature_, self.threshold_, self.children_)
        total, outputs = np.zeros((len(inputs), size)), np.arange(size)
        for start in range(0, len(inputs), ROW_BLOCK):
            rows = slice(start, start + ROW_BLOCK)
            for leaf in trees.leaves(inputs[rows]):
                total[rows] += self.values_[self.first_[leaf][:, None] + outputs]
        return total / self.trees


def _others(filled: Floats, column: int) -> Floats:
    """Return all columns but one; a column of zeros if there is no other."""
    return np.delete(filled, column, axis=1) if filled.shape[1] > 1 else np.zeros_like(filled)


def _forested(data: Encoded, last: bool) -> list[Block]:
    """Return the columns that get a forest: those with an observed cell and, before the last round, a missing one."""
    known, incomplete = np.any(data.observed, axis=0), ~np.all(data.observed, axis=0)
    return [block for block in data.layout.blocks if known[block.position] and (last or incomplete[block.position])]


def _leaf_values(tree: Any, forest: Any, block: Block) -> Floats:
    """Return the prediction of each leaf of a tree, float32 [leaves, size]: a number, or shares of all levels."""
    found = tree.value[tree.children_left < 0, 0]
    if block.kind == "number":
        return np.asarray(found, dtype=np.float32)
    values: Floats = np.zeros((len(found), block.size), dtype=np.float32)
    values[:, forest.classes_.astype(np.intp) - FIRST_LEVEL] = found
    return values
