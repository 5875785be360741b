"""A model whose methods are called under a guard, and whose results are checked: core calls no model otherwise."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded, Floats, Scores
from anomalo.encoding.layout import Layout
from anomalo.errors import UsageError
from anomalo.models import result_checks
from anomalo.models.base import Model, Run, is_goal
from anomalo.models.capabilities import (
    CanClassify,
    CanEmbed,
    CanExplain,
    CanExtend,
    CanImpute,
    CanSample,
    CanScore,
    CrossFits,
    Plans,
    ReportsErrors,
    verbs_of,
)
from anomalo.models.guard import Origin, guard
from anomalo.models.results import Cells, Filled, HiddenCells, ModelState, Plan
from anomalo.models.series.view import (
    explained_points,
    filled_points,
    in_parts,
    scored_points,
    seen_layout,
    windows,
)
from anomalo.models.view import View, explained_columns, filled_columns, hidden_columns


@dataclass(frozen=True)
class GuardedModel:
    """A model and where it comes from.

    Each method calls the model's method of the same name. It raises UsageError if the model has none, and PluginError,
    which names the plugin, if the model raises or returns what its protocol does not allow.

    Attributes
    ----------
    model : Model
        The model itself.
    origin : Origin
        The plugin that gives its class.
    view : View
        What the model sees of rows.
    """

    model: Model
    origin: Origin
    view: View = field(default_factory=View)

    @classmethod
    def of(cls, model: Model) -> Self:
        """Guard a model of a class that no plugin gives."""
        return cls(model, Origin.of(model))

    @property
    def name(self) -> str:
        """The name that it is registered under."""
        return self.model.name

    @property
    def verbs(self) -> tuple[str, ...]:
        """What it can do."""
        return verbs_of(type(self.model))

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on the fit, from the attribute `notes_`."""
        with self._guard("notes_"):
            return result_checks.texts("notes_", getattr(self.model, "notes_", ()))

    def can(self, capability: type) -> bool:
        """Whether the model implements a protocol."""
        return isinstance(self.model, capability)

    def fit(self, data: Encoded, run: Run) -> Self:
        """Fit the model, and return self."""
        if data.derived is not None and not self.view.moments and is_goal(run.goals, "impute") and self.can(CanExtend):
            return self._fit_in_turn(data, run)
        return self.fit_seen(self.seen_in_fit(data, run.goals), run)

    def _fit_in_turn(self, data: Encoded, run: Run) -> Self:
        """Fit the model to score, without points in time, and then to impute, with them."""
        goals, run.goals = run.goals, frozenset({"score", "embed"})
        self.fit_seen(self.view.of_rows(data, moments=False), run)
        run.goals = goals
        return self.extend(data, run)

    def seen_in_fit(self, data: Encoded, goals: frozenset[str]) -> Encoded:
        """Return rows as a fit for these goals sees them."""
        if data.positions is not None:
            return windows(data)
        return self.view.of_rows(data, self.view.moments or is_goal(goals, "impute"))

    def fit_seen(self, seen: Encoded, run: Run) -> Self:
        """Fit the model on rows as `seen_in_fit` returns them, and return self."""
        with self._guard("fit"):
            result_checks.require_self("fit", self.model.fit(seen, run), self.model)
        return self

    def score(self, data: Encoded) -> Scores:
        """Return anomaly scores, float64 [n], all of them finite."""
        model = self.model
        if not isinstance(model, CanScore):
            raise self._unable("score")
        if data.positions is not None:
            return scored_points(data, self.score, model.score_power)
        data = self.view.of_rows(data)
        with self._guard("score"):
            return result_checks.scores(model.score(data), data)

    def explain(self, data: Encoded) -> Cells:
        """Return contributions and expected values."""
        model = self.model
        if not isinstance(model, CanExplain):
            raise self._unable("explain")
        if data.positions is not None:
            return explained_points(data, self.explain, model.score_power)
        seen = self.view.of_rows(data)
        with self._guard("explain"):
            cells = result_checks.cells(model.explain(seen), seen)
        return explained_columns(cells, data)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Return fills, and `draws` random imputations."""
        model = self.model
        if not isinstance(model, CanImpute):
            raise self._unable("impute")
        if data.positions is not None:
            return filled_points(data, partial(self.impute, draws=draws))
        seen = self.view.of_rows(data, moments=True)
        with self._guard("impute"):
            filled = result_checks.filled(model.impute(seen, draws), seen, draws)
        return filled if seen.values.shape == data.values.shape else filled_columns(filled, data.values.shape[1])

    def embed(self, data: Encoded) -> Floats:
        """Return codes, float32 [n, latent]."""
        model = self.model
        if not isinstance(model, CanEmbed):
            raise self._unable("embed")
        if data.positions is not None:
            return np.concatenate([self.embed(windows(part)) for part in in_parts(data)])
        data = self.view.of_rows(data)
        with self._guard("embed"):
            return result_checks.codes(model.embed(data), data)

    def decode(self, codes: Floats) -> Floats:
        """Return encoded rows, float32 [n, *shape]."""
        model = self.model
        if not isinstance(model, CanEmbed):
            raise self._unable("decode")
        with self._guard("decode"):
            return result_checks.decoded(model.decode(codes), codes)

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return synthetic rows; their values may not be finite."""
        model = self.model
        if not isinstance(model, CanSample):
            raise self._unable("sample")
        given = given.as_models_see()
        with self._guard("sample"):
            return result_checks.rows(model.sample(given, run), given)

    def proba(self, data: Encoded) -> Floats:
        """Return the probabilities of classes, float32 [n, classes]."""
        model = self.model
        if not isinstance(model, CanClassify):
            raise self._unable("proba")
        data = self.view.of_rows(data)
        with self._guard("proba"):
            return result_checks.probabilities(model.proba(data), data)

    def hidden_cells(self, data: Encoded) -> HiddenCells | None:
        """Return the errors of predictions for held-out cells of the columns of these rows."""
        model = self.model
        if not isinstance(model, ReportsErrors):
            raise self._unable("hidden_cells")
        columns = len(data.layout.blocks)
        seen = len(self.view.of_rows(data.take(slice(0, 0))).layout.blocks)
        with self._guard("hidden_cells"):
            found = result_checks.hidden_cells(model.hidden_cells(), seen)
        return None if found is None else hidden_columns(found, columns)

    def plan(self, layout: Layout, rows: int, goals: frozenset[str]) -> Plan | None:
        """Return what a fit is going to do, if the model can say so."""
        model = self.model
        if not isinstance(model, Plans):
            return None
        with self._guard("plan"):
            return result_checks.plan(model.plan(seen_layout(layout), rows, goals))

    def folds(self, rows: int) -> NDArray[np.intp]:
        """Return the folds of a model that cross-fits, [rows]."""
        model = self.model
        if not isinstance(model, CrossFits):
            raise self._unable("folds")
        with self._guard("folds"):
            return result_checks.folds(model.folds(), rows)

    def without(self, fold: int) -> Self:
        """Return the part of a model that cross-fits which was fitted without a fold."""
        model = self.model
        if not isinstance(model, CrossFits):
            raise self._unable("without")
        with self._guard("without"):
            return type(self)(result_checks.model("without", model.without(fold)), self.origin, self.view)

    def extend(self, data: Encoded, run: Run) -> Self:
        """Fit the model for further goals, and return self."""
        model = self.model
        if not isinstance(model, CanExtend):
            raise self._unable("extend")
        data = self.view.of_rows(windows(data), moments=True)
        with self._guard("extend"):
            result_checks.require_self("extend", model.extend(data, run), model)
        return self

    def state(self) -> ModelState:
        """Return everything that the model learned."""
        with self._guard("state"):
            return result_checks.state(self.model.state())

    def restore(self, state: ModelState, create: Callable[..., Model]) -> Self:
        """Restore the model, and return self."""
        with self._guard("restore"):
            result_checks.require_self("restore", self.model.restore(state, create), self.model)
        return self

    def use(self, device: str) -> None:
        """Do inference on this device from now on."""
        with self._guard("use"):
            self.model.use(device)

    def _guard(self, method: str) -> AbstractContextManager[None]:
        return guard(self.origin, f"model {self.name!r}", self.model, method)

    def _unable(self, verb: str) -> UsageError:
        return UsageError(f"model {self.name!r} cannot {verb}; it can: {', '.join(self.verbs) or 'nothing'}")


def named(model: Model, name: str) -> Model:
    """Return the model under the name that it is registered under, where that is not the name of its class."""
    if model.name != name:
        vars(model)["name"] = name
    return model


def guard_part(model: Model, origin: Origin) -> Model:
    """Guard the verbs of a model that becomes part of another; it stays an instance of its class.

    The model that it is part of calls it directly. A failure is then that of the part, and its scores are checked
    before they are combined with others.
    """
    vars(model)["fit"] = partial(_fitted, origin, model.fit)
    for verb, check in PART_CHECKS.items():
        method = getattr(model, verb, None)
        if callable(method):
            vars(model)[verb] = partial(_checked, origin, verb, method, check)
    return model


PART_CHECKS: dict[str, Callable[..., Any]] = {
    "score": result_checks.scores,
    "explain": result_checks.cells,
    "impute": result_checks.filled,
    "embed": result_checks.codes,
    "decode": result_checks.decoded,
    "proba": result_checks.probabilities,
    "sample": result_checks.rows,
}


def _fitted(origin: Origin, method: Any, data: Encoded, run: Run) -> Model:
    model: Model = method.__self__
    with guard(origin, f"model {model.name!r}", model, "fit"):
        result_checks.require_self("fit", method(data, run), model)
    return model


def _checked(origin: Origin, verb: str, method: Any, check: Callable[..., Any], *args: Any, **options: Any) -> Any:
    model: Model = method.__self__
    with guard(origin, f"model {model.name!r}", model, verb):
        return check(method(*args, **options), *args, **options)
