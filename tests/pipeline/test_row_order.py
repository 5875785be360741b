"""Whatever the order of a table's rows, a model learns the same from them, to the bit."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from anomalo.encoding.target import label_of
from anomalo.models.results import ModelState
from anomalo.persistence.resume import resumable_state
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import FitOutcome, Fitted
from anomalo.pipeline.row_order import by_content
from anomalo.plugin import CanClassify, CanEmbed, CanImpute, CanScore, Model, verbs_of
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions, infer

ROWS = 120
REGISTRY = Registry.load()
FIRST_PARTY = [REGISTRY.get(name) for plugin in REGISTRY.plugins() if plugin.first_party for name in plugin.models]
OURS = list(dict.fromkeys(FIRST_PARTY))
MODELS = [model for model in OURS if "table" in model.modalities]
QUICK = {"auto", "chained", "forest", "iforest", "knn", "linear", "mixture", "undercomplete"}
"""Models that `make test` checks."""
EVERY = [
    pytest.param(model, id=model.name, marks=() if model.name in QUICK else pytest.mark.matrix) for model in MODELS
]


def table() -> pa.Table:
    """Numbers on very different scales, dates, categories with ties; a tenth of the cells missing, and equal rows."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=ROWS)
    missing = rng.random((ROWS, 6)) < 0.1
    days = np.datetime64("2024-01-01") + rng.integers(0, 400, ROWS)
    whole = pa.table(
        {
            "height": 170 + 10 * hidden,
            "weight": pa.array(np.exp(3 * hidden + 0.3 * rng.normal(size=ROWS)), mask=missing[:, 1]),
            "children": pa.array(rng.poisson(np.exp(0.3 * hidden)), mask=missing[:, 2]),
            "colour": pa.array(
                np.array(["red", "green", "blue"])[np.digitize(hidden, [-0.5, 0.5])], mask=missing[:, 3]
            ),
            "animal": pa.array(rng.choice(["cat", "dog", "emu"], ROWS), mask=missing[:, 4]),
            "day": pa.array(days, mask=missing[:, 5]),
            "kind": rng.choice(["common", "common", "rare"], ROWS),
        }
    )
    return whole.take(np.append(np.arange(ROWS - 10), np.arange(10)))


def config(model: type[Model]) -> FitConfig:
    known = {parameter.name for parameter in model.parameters()}
    params = {name: value for name, value in {"epochs": 2, "trees": 5}.items() if name in known}
    return FitConfig(model.name, params, seed=3, device="cpu", folds=2)


def fitted(model: type[Model], rows: pa.Table) -> FitOutcome:
    options = SchemaOptions(label="kind")
    schema = infer(rows, options)
    target = label_of(rows, schema) if issubclass(model, CanClassify) else None
    return Fitted.fit(rows, schema, config(model), REGISTRY, target=target)


def learned(state: ModelState) -> Iterator[tuple[str, Any]]:
    """Yield everything in a state, that of nested models too."""
    yield from state.arrays.items()
    yield from state.values.items()
    for name, (nested, params, inner) in state.models.items():
        yield name, (nested, params)
        yield from ((f"{name}/{key}", value) for key, value in learned(inner))


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return bool(one == other)


def answers(found: Fitted, rows: pa.Table) -> dict[str, np.ndarray]:
    """Return what a model says of rows, by name: scores, p-values, explanations, fills, codes, probabilities."""
    data, model = found.encode(rows), found.model
    said: dict[str, np.ndarray] = {}
    if isinstance(model, CanScore):
        scored = found.score(data)
        said |= {"score": scored.score, "as new": found.score_as_new(data), "p_value": scored.p_value}
        explained = found.explain(data)
        said |= {name: getattr(explained, name) for name in ("contribution", "expected", "low", "high")}
    if isinstance(model, CanImpute):
        filled = found.impute(data)
        said |= {name: array for name in ("point", "low", "high") if (array := getattr(filled, name)) is not None}
    if isinstance(model, CanEmbed):
        said["codes"] = found.embed(data)
    if isinstance(model, CanClassify):
        said["proba"] = found.proba(data)
    return said


@pytest.mark.usefixtures("few_parts")
@pytest.mark.parametrize("model", EVERY)
def test_a_shuffled_table_gives_the_same_model_to_the_bit(model: type[Model]) -> None:
    rows = table()
    order = np.random.default_rng(1).permutation(ROWS)
    one, other = fitted(model, rows), fitted(model, rows.take(order))
    assert one.fitted.schema == other.fitted.schema
    assert one.fitted.encoder.layout == other.fitted.encoder.layout
    first, second = (dict(learned(found.fitted.guarded.state())) for found in (one, other))
    assert first.keys() == second.keys()
    assert [name for name in first if not same(first[name], second[name])] == []
    for name in ("reference", "hashes", "training_scores", "surprisal_scale"):
        assert same(*(np.asarray(getattr(found.fitted.calibration, name)) for found in (one, other))), name
    expected, found = answers(one.fitted, rows), answers(other.fitted, rows.take(order))
    assert expected or "sample" in verbs_of(model)
    assert [name for name in expected if not same(expected[name][order], found[name])] == []
    for name in ("error", "baseline", "width") if one.fitted.hidden is not None else ():
        assert same(getattr(one.fitted.hidden, name), getattr(other.fitted.hidden, name)), name
    assert one.fitted.warnings == other.fitted.warnings
    assert (one.scores is None) == (other.scores is None)
    if one.scores is not None and other.scores is not None:
        assert same(one.scores[order], other.scores)
        assert same(one.scores, one.fitted.guarded.score(one.data))


class Killed(KeyboardInterrupt):
    """What ends a fit."""


def test_a_fit_that_was_killed_goes_on_with_the_rows_in_another_order(tmp_path: Path) -> None:
    rows = table().drop_columns("kind")
    shuffled = rows.take(np.random.default_rng(1).permutation(ROWS))
    plan = replace(config(REGISTRY.get("undercomplete")), every=0)
    whole = Fitted.fit(rows, infer(rows), plan, REGISTRY).fitted

    def kill(share: float, text: str) -> None:
        if share > 0.8:
            raise Killed

    folder, task = tmp_path / "fit", {"verb": "fit"}
    with pytest.raises(Killed), resumable_state(folder, task, resume=False) as keep:
        Fitted.fit(rows, infer(rows), replace(plan, keep=keep, progress=kill), REGISTRY)
    with resumable_state(folder, task, resume=True) as keep:
        assert keep.load("fold-0") is not None
        resumed = Fitted.fit(shuffled, infer(shuffled), replace(plan, keep=keep), REGISTRY).fitted
    first, second = (dict(learned(found.guarded.state())) for found in (whole, resumed))
    assert [name for name in first if not same(first[name], second[name])] == []
    assert same(whole.calibration.training_scores, resumed.calibration.training_scores)


@pytest.mark.usefixtures("few_parts")
def test_a_model_that_is_extended_later_is_the_same_too() -> None:
    rows = table().drop_columns("kind")
    order = np.random.default_rng(1).permutation(ROWS)
    plan = config(REGISTRY.get("auto"))
    found = []
    for some in (rows, rows.take(order)):
        outcome = Fitted.fit(some, infer(some), replace(plan, goals=frozenset({"score", "embed"})), REGISTRY)
        outcome.fitted.extend(outcome.data, plan, REGISTRY)
        found.append(outcome.fitted)
    one, other = (answers(fit, some) for fit, some in zip(found, (rows, rows.take(order)), strict=True))
    assert [name for name in one if not same(one[name][order], other[name])] == []
    assert found[0].hidden is not None
    assert found[1].hidden is not None
    assert same(found[0].hidden.error, found[1].hidden.error)


def test_what_a_fit_returns_of_the_rows_is_in_their_order() -> None:
    rows = table()
    for name in ("knn", "chained", "classifier", "mixture"):
        outcome = fitted(REGISTRY.get(name), rows)
        expected = outcome.fitted.encode(rows)
        assert same(np.asarray(outcome.data.values), expected.values)
        assert same(np.asarray(outcome.data.observed), expected.observed)


def test_rows_that_only_differ_in_their_class_are_ordered_by_it() -> None:
    encoded = fitted(REGISTRY.get("knn"), table()).fitted.encode(table())
    equal = encoded.take(np.zeros(4, dtype=np.intp))
    classes = [replace(equal, target=np.array(codes, dtype=np.float64)) for codes in ([1, 0, 1, 0], [0, 0, 1, 1])]
    ordered = [rows.take(by_content(rows)).target for rows in classes]
    assert [codes.tolist() for codes in ordered if codes is not None] == [[0, 0, 1, 1]] * 2
