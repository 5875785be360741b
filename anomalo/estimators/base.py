"""What the scikit-learn estimators share: from X to a batch, to a fitted model, to encoded rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.target import Target
from anomalo.errors import SchemaError, UsageError
from anomalo.estimators.columns import Choices, options_of, speaking_python, warn
from anomalo.models.base import Model
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import FitOutcome, Fitted
from anomalo.registry.registry import Registry
from anomalo.tabular.column import TABLE
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import infer, require_unique


class TableEstimator(BaseEstimator):  # type: ignore[misc]
    """An estimator for tables: a DataFrame, or a numeric array."""

    model: str | Model
    params: dict[str, Any] | None
    effort: str | None = None
    columns: Choices = None
    random_state: int | np.random.RandomState | np.random.Generator | None
    device: str
    fitted_: Fitted

    def _batch(self, X: Any, *, reset: bool) -> pa.RecordBatch:
        """Check X against scikit-learn's rules and return it as one Arrow batch."""
        columns: Sequence[Any]
        if isinstance(X, pd.DataFrame):
            names = [str(name) for name in X.columns]
            require_unique(names, "X")
            validate_data(self, X, reset=reset, skip_check_array=True)
            if not X.size:
                raise UsageError(f"X has 0 sample(s) or 0 feature(s) (shape={X.shape}); expected at least one of each")
            columns = [X.iloc[:, at] for at in range(len(names))]
        else:
            # Infinite numbers are left to the encoder, which names the column.
            columns = validate_data(self, X, reset=reset, dtype=np.float64, ensure_all_finite=False).T
            names = _generated(len(columns))
        if not reset:
            known = self._names()
            # An array has no names to go by: its columns are found by position.
            names = known if _generated(len(known)) in (names, known) else names
        arrays = [_arrow(name, column) for name, column in zip(names, columns, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, names=names)

    def _names(self) -> list[str]:
        """Return the names of the columns in training."""
        return [column.name for column in self.fitted_.schema.columns]

    def _fit(
        self,
        X: Any,
        verb: str,
        *,
        calibrate: bool,
        constraints: tuple[str, ...] = (),
        base: Fitted | None = None,
        target: Target | None = None,
    ) -> FitOutcome:
        if not isinstance(self.model, str | Model):
            raise UsageError(f"model={self.model!r}: expected a model's name, or an instance such as MyModel()")
        if not (isinstance(self.model, str) or self.model.name):
            raise UsageError(f"model={self.model!r}: expected a class with a name; set name = '…' in it")
        if self.params and isinstance(self.model, Model):
            raise UsageError(f"params={self.params!r}: expected none, for the model is an instance; give them to it")
        if self.effort and isinstance(self.model, Model):
            raise UsageError(f"effort={self.effort!r}: expected none, for the model is an instance; give it to that")
        registry = Registry.load()
        config = FitConfig(
            self.model,
            {**(self.params or {}), **({} if self.effort is None else {"effort": self.effort})},
            seed=seed_of(self.random_state),
            device=self.device,
            calibrate=calibrate,
            goals=frozenset({verb}),
            constraints=constraints,
        )
        model = config.create(registry, TABLE)
        if verb not in model.verbs:
            raise UsageError(f"model {model.name!r} cannot {verb}; it can: {', '.join(model.verbs)}")
        table = ParsedTable(self._batch(X, reset=True))
        with speaking_python():
            schema = infer(table, options_of(self.columns))
            outcome = Fitted.fit(table, schema, config, registry, base=base, target=target)
        self.fitted_ = outcome.fitted
        warn(self.fitted_.warnings, stacklevel=3)
        return outcome

    def _encode(self, X: Any) -> tuple[pa.RecordBatch, Encoded]:
        check_is_fitted(self, "fitted_")
        batch = self._batch(X, reset=False)
        with speaking_python():
            return batch, self.fitted_.encode(batch)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _generated(width: int) -> list[str]:
    """Return the names of the columns of an array."""
    return [f"x{at}" for at in range(width)]


def seed_of(random_state: Any) -> int:
    """Return the seed that scikit-learn's `random_state` stands for.

    Raises
    ------
    UsageError
        It is nothing of the kind.
    """
    if isinstance(random_state, int | np.integer) and random_state >= 0:
        return int(random_state)
    if random_state is None:
        random_state = np.random.default_rng()
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    raise UsageError(f"random_state={random_state!r}: expected None, a whole number from 0, or a random generator")


def _arrow(name: str, values: Any) -> pa.Array:
    """Return a column [n] as Arrow has it; numbers share its memory."""
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError) as error:
        raise SchemaError(
            f"column {name!r} of type {values.dtype} cannot be read: {error}; "
            "expected cells of one plain type, convert it or drop it"
        ) from error
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
