"""Fit, score, explain, fill, save and load as one thing, for every kind of model."""

import dataclasses
import datetime
import math
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from anomalo.calibration.cross_fitting import HiddenCells
from anomalo.errors import ArtefactError, SourceError, UsageError
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.row_order import by_content
from anomalo.pipeline.saved_model import load_fitted, save_fitted
from anomalo.plugin import CanImpute, CanScore, Encoded, Model, Run, Scores, hookimpl
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions, infer

ROWS = 150
REGISTRY = Registry.load()
PLANS = {
    "iforest": FitConfig("iforest", {"trees": 10}, seed=1, device="cpu"),
    "knn": FitConfig("knn", {"neighbours": 3}, seed=1, device="cpu"),
    "mean": FitConfig("mean", seed=1, device="cpu"),
    "linear": FitConfig("linear", {"epochs": 2}, seed=1, device="cpu"),
    "undercomplete": FitConfig("undercomplete", {"epochs": 2, "hidden": (8,)}, seed=1, device="cpu"),
}


def table(rows: int = ROWS, seed: int = 0) -> pa.Table:
    """Two numbers, a whole number and two categories, with missing values in all but the first."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=rows)
    missing = rng.random((rows, 5)) < 0.1
    colour = np.array(["red", "green", "blue"])[np.digitize(hidden, [-0.5, 0.5])]
    return pa.table(
        {
            "height": 170 + 10 * hidden,
            "weight": pa.array(np.exp(hidden + 0.3 * rng.normal(size=rows)), mask=missing[:, 1]),
            "children": pa.array(rng.poisson(np.exp(0.3 * hidden)), mask=missing[:, 2]),
            "colour": pa.array(colour, mask=missing[:, 3]),
            "animal": pa.array(rng.choice(["cat", "dog"], rows), mask=missing[:, 4]),
        }
    )


def fit(config: FitConfig, data: pa.Table | None = None, registry: Registry = REGISTRY) -> Fitted:
    data = table() if data is None else data
    return Fitted.fit(data, infer(data, SchemaOptions()), config, registry).fitted


@pytest.fixture(scope="module", params=PLANS)
def fitted(request: pytest.FixtureRequest) -> Fitted:
    return fit(PLANS[request.param])


@pytest.fixture(scope="module")
def linear() -> Fitted:
    return fit(PLANS["linear"])


def encode(fitted: Fitted, rows: pa.Table) -> Encoded:
    return Encoded.concatenate([fitted.encode(batch) for batch in rows.to_batches()])


def answers(fitted: Fitted, data: Encoded) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(fitted.model, CanScore):
        explained = fitted.explain(data)
        scored = fitted.score(data)
        found |= {"score": scored.score, "p_value": scored.p_value}
        found |= {name: getattr(explained, name) for name in ("contribution", "expected", "low", "high")}
    if isinstance(fitted.model, CanImpute):
        found["point"] = fitted.impute(data).point
    return found


def assert_same(got: dict[str, Any], expected: dict[str, Any]) -> None:
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)


def test_what_is_loaded_answers_as_what_was_saved(fitted: Fitted, tmp_path: Path) -> None:
    save_fitted(fitted, tmp_path / "model")
    loaded = load_fitted(tmp_path / "model", REGISTRY, device="cpu")
    for seed in (0, 1):  # the training rows, and new ones
        rows = table(seed=seed)
        np.testing.assert_array_equal(encode(loaded, rows).values, encode(fitted, rows).values)
        assert_same(answers(loaded, encode(loaded, rows)), answers(fitted, encode(fitted, rows)))
    assert loaded.facts == {**fitted.facts, "parameters": loaded.facts["parameters"]}
    assert loaded.model.params() == fitted.model.params()
    assert loaded.schema == fitted.schema
    assert loaded.warnings == fitted.warnings


def test_facts_of_the_fit(fitted: Fitted) -> None:
    facts = fitted.facts
    assert facts["model"] == fitted.model.name
    assert facts["plugin"] == REGISTRY.plugin_of(fitted.model.name)
    assert (facts["rows"], facts["seed"]) == (ROWS, 1)
    assert facts["seconds"] > 0
    assert len(facts["history"]) == (2 if facts["plugin"] == "autoencoders" else 0)


def test_the_same_plan_gives_the_same_bits(fitted: Fitted) -> None:
    again = fit(PLANS[fitted.model.name])
    assert again.facts["fingerprint"] == fitted.facts["fingerprint"]
    data = encode(fitted, table(seed=1))
    assert_same(answers(again, data), answers(fitted, data))


def test_another_table_has_another_fingerprint(linear: Fitted) -> None:
    config = dataclasses.replace(PLANS["mean"], calibrate=False)
    assert fit(config).facts["fingerprint"] == linear.facts["fingerprint"]
    assert fit(config, table(seed=1)).facts["fingerprint"] != linear.facts["fingerprint"]


@pytest.mark.parametrize("name", ["knn", "linear"])
def test_training_rows_are_scored_by_models_that_never_saw_them(name: str) -> None:
    # A training row is its own nearest neighbour: by the final model's score none would be anomalous.
    fitted = fit(PLANS[name])
    found = fitted.score(encode(fitted, table()))
    np.testing.assert_allclose(np.sort(found.p_value), np.arange(1, ROWS + 1) / ROWS)


def test_p_values_of_new_rows_are_uniform() -> None:
    found = []
    for seed in range(4):
        fitted = fit(dataclasses.replace(PLANS["knn"], seed=seed), table(200, seed=seed))
        found.append(fitted.score(encode(fitted, table(200, seed=100 + seed))).p_value)
    p_values = np.concatenate(found)
    assert stats.kstest(p_values, "uniform").pvalue > 0.001
    assert np.mean(p_values <= 0.05) < 0.09


def test_without_calibration_there_are_no_p_values_and_no_intervals() -> None:
    fitted = fit(dataclasses.replace(PLANS["linear"], calibrate=False))
    data = encode(fitted, table(seed=1))
    assert (fitted.score(data).p_value == 1).all()
    assert fitted.hidden is None
    explained = fitted.explain(data)
    assert np.isnan(explained.low).all()
    assert np.isnan(explained.high).all()


def test_contributions_sum_to_the_score_surprisals_included(linear: Fitted) -> None:
    rows = table(20, seed=1).to_pydict()
    rows["colour"][:5] = ["violet"] * 5
    rows["height"][3:8] = [None] * 5
    data = encode(linear, pa.table(rows))
    score = linear.score(data).score
    np.testing.assert_allclose(linear.explain(data).contribution.sum(axis=1), score, rtol=1e-4)


def test_an_unseen_level_adds_its_surprisal_and_names_its_column(linear: Fitted) -> None:
    rows = table(20, seed=1).to_pydict()
    unseen = {**rows, "colour": ["violet"] * 20}
    missing = {**rows, "colour": [None] * 20}
    scores = [linear.score(encode(linear, pa.table(each, schema=table().schema))).score for each in (unseen, missing)]
    novelty_surprisal = math.log((ROWS + 1) / 0.5) * linear.calibration.surprisal_scale
    assert (scores[0] - scores[1] >= (1 - 1e-4) * novelty_surprisal).all()
    contribution = linear.explain(encode(linear, pa.table(unseen))).contribution
    assert (contribution[:, 3] >= novelty_surprisal).all()
    np.testing.assert_allclose(contribution.sum(axis=1), scores[0])


def test_a_missing_value_in_a_complete_column_adds_its_surprisal(linear: Fitted) -> None:
    rows = table(20, seed=1).to_pydict()
    data = encode(linear, pa.table({**rows, "height": [None] * 20}, schema=table().schema))
    novelty_surprisal = math.log((ROWS + 1) / 0.5) * linear.calibration.surprisal_scale
    assert (linear.explain(data).contribution[:, 0] >= novelty_surprisal).all()


def test_intervals_are_in_original_units_and_hold_the_expected_value(linear: Fitted) -> None:
    data = encode(linear, table(seed=1))
    explained = linear.explain(data)
    for position in data.layout.numbers:
        expected = linear.encoder.decode(explained.expected[:, position], int(position), round=False).to_numpy()
        assert (explained.low[:, position] <= expected).all()
        assert (expected <= explained.high[:, position]).all()
    assert np.isnan(explained.low[:, data.layout.categories]).all()
    values = table(seed=1)["height"].to_numpy()
    inside = (explained.low[:, 0] <= values) & (values <= explained.high[:, 0])
    assert 0.8 < inside.mean() < 0.98


def test_one_row_is_too_few() -> None:
    with pytest.raises(SourceError, match=r"the table has 1 row \(n_samples = 1\); give at least 2 rows"):
        fit(PLANS["mean"], table(1))


@pytest.mark.parametrize("name", PLANS)
def test_two_rows_or_equal_rows_are_enough(name: str) -> None:
    two = pa.table({"a": [1.0, 2.0], "b": ["x", "y"]})
    same = pa.table({"a": [1.0] * 30, "b": ["x"] * 30})
    for rows in (two, same):
        fitted = fit(PLANS[name], rows)
        for array in answers(fitted, encode(fitted, rows)).values():
            assert array.shape[0] == rows.num_rows
    assert len(fitted.calibration.reference) == 0  # equal rows cannot be split


def test_a_model_that_predicts_no_better_than_mean_and_mode_is_warned_of(linear: Fitted) -> None:
    assert any(
        "'mean' predicts hidden cells no better than each column's mean or mode (skill" in text
        for text in fit(PLANS["mean"]).warnings
    )
    no, some = np.zeros(5), np.ones(5)
    good = dataclasses.replace(linear, hidden=HiddenCells(some, no, some))
    bad = dataclasses.replace(linear, hidden=HiddenCells(some, 1.1 * some, some))
    assert good.warnings == linear.schema.warnings
    assert len(bad.warnings) == len(good.warnings) + 1
    assert "skill -0.10" in bad.warnings[-1]
    assert dataclasses.replace(linear, hidden=None).warnings == linear.schema.warnings


def test_a_model_is_asked_only_for_what_it_can_do(linear: Fitted) -> None:
    linear.require("impute")
    with pytest.raises(UsageError, match="model 'linear' cannot dance; it can: score, explain, impute, embed"):
        linear.require("dance")


def test_a_model_whose_plugin_is_gone_is_not_loaded(linear: Fitted, tmp_path: Path) -> None:
    save_fitted(linear, tmp_path / "model")
    without = Registry.load(disabled=["autoencoders"])
    with pytest.raises(ArtefactError, match=r"model 'linear' of plugin 'autoencoders' .*, which is not installed"):
        load_fitted(tmp_path / "model", without)


def test_a_device_that_is_not_there_is_wrong_usage_also_for_a_loaded_model(linear: Fitted, tmp_path: Path) -> None:
    save_fitted(linear, tmp_path / "model")
    with pytest.raises(UsageError, match="device 'abacus' is not available"):
        load_fitted(tmp_path / "model", REGISTRY, device="abacus")


def test_progress_goes_from_fit_to_fit_up_to_one() -> None:
    reported: list[tuple[float, str]] = []
    fit(dataclasses.replace(PLANS["linear"], progress=lambda share, text: reported.append((share, text))))
    shares = [share for share, _ in reported]
    assert shares == sorted(shares)
    assert len(reported) == 6 * 2 + 1  # five folds and the model itself, two epochs each
    assert reported[0][0] == pytest.approx(1 / 12)
    assert reported[-1] == (1.0, "done")


@dataclass(kw_only=True)
class Recorder(Model):
    """Keeps what each fit was given."""

    name = "recorder"
    tables: ClassVar[list[Encoded]] = []
    seeds: ClassVar[list[int]] = []

    def fit(self, data: Encoded, run: Run) -> "Recorder":
        self.tables.append(data)
        self.seeds.append(run.seed)
        self.fitted_on_ = len(data)
        return self

    def score(self, data: Encoded) -> Scores:
        return np.asarray(data.values.sum(axis=1), dtype=np.float64)


heard: list[Any] = []


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    return [Recorder]


@hookimpl
def anomalo_training(engine: Any, model: Model, run: Run) -> None:
    heard.append(model.name)


@pytest.fixture
def mine() -> Registry:
    """First-party plugins, and this module as a plugin."""
    entries = {"mine": __name__, "tables": "anomalo.registry.hooks", "autoencoders": "anomalo_autoencoders"}
    registry = Registry.load(entry_points=[EntryPoint(name, value, "anomalo") for name, value in entries.items()])
    assert registry.failures == ()
    Recorder.tables.clear()
    Recorder.seeds.clear()
    heard.clear()
    return registry


def test_the_model_learns_from_all_rows_after_five_folds(mine: Registry) -> None:
    fitted = fit(FitConfig("recorder", seed=7), registry=mine)
    *folds, last = Recorder.tables
    assert [len(data) for data in folds] == [ROWS * 4 // 5] * 5
    assert len(last) == fitted.model.fitted_on_ == ROWS
    rows = encode(fitted, table())
    np.testing.assert_array_equal(last.values, rows.take(by_content(rows)).values)
    left_out = [set(last.hashes()) - set(data.hashes()) for data in folds]
    assert sum(map(len, left_out)) == len(set.union(*left_out)) == ROWS
    assert set(Recorder.seeds) == {7}
    np.testing.assert_allclose(
        fitted.calibration.reference, np.sort(last.values.sum(axis=1, dtype=np.float64)), rtol=1e-5
    )


def test_with_a_time_column_the_folds_are_stretches_of_time(mine: Registry) -> None:
    rng = np.random.default_rng(0)
    days = rng.permutation(100)
    start = datetime.datetime(2024, 1, 1)
    when = [start + datetime.timedelta(days=int(day)) for day in days]
    value = np.argsort(np.argsort(days)).astype(float)
    fit(FitConfig("recorder"), pa.table({"when": when, "value": value}), registry=mine)
    column = [block.name for block in Recorder.tables[-1].layout.blocks].index("value")
    whole = np.sort(Recorder.tables[-1].values[:, column])
    for fold, data in enumerate(Recorder.tables[:-1]):
        held = np.flatnonzero(np.isin(whole, np.setdiff1d(whole, data.values[:, column])))
        assert held.tolist() == [at for at in range(100) if at // 4 % 5 == fold]


def test_an_instance_gives_its_hyperparameters_and_stays_unfitted() -> None:
    model = REGISTRY.create("knn", neighbours=7)
    fitted = fit(FitConfig(model, calibrate=False))
    assert fitted.model is not model
    assert fitted.model.params() == model.params()
    assert fitted.facts["parameters"]["neighbours"] == 7
    assert not hasattr(model, "reference_")


def test_plugins_hear_of_every_training(mine: Registry) -> None:
    fit(PLANS["linear"], registry=mine)
    assert heard == ["linear"] * 6
