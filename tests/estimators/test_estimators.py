"""The scikit-learn estimators: imputed tables, scores of rows, and errors that say what to do."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from anomalo import AnomalyDetector, TableImputer
from anomalo.errors import SchemaError, SourceError, UnknownModelError, UsageError
from anomalo.registry.registry import Registry

KNN = Registry.load().get("knn")
QUICK: dict[str, Any] = {"calibrate": False, "random_state": 0}
NUMBERS = ["int64", "uint8", "float32", "float64", "Int64", "UInt8", "Float64", "int64[pyarrow]", "whole_floats"]
LEVELS = [
    "bool",
    "boolean",
    "objects_of_bools",
    "string",
    "str",
    "object",
    "category",
    "ordered",
    "whole_categories",
]
TIMES = ["datetime64[ns]", "datetime64[us]", "zoned", "timedelta64[us]", "objects_of_dates"]
DTYPES = [*NUMBERS, *LEVELS, *TIMES]
NEURAL = ("linear", "undercomplete")


def column(kind: str, rows: int, rng: np.random.Generator) -> pd.Series:
    """Return a column without missing values, of a dtype or of something special that a dtype can hold."""
    whole, words = rng.integers(0, 9, rows), rng.choice(["red", "green", "blue"], rows)
    days = pd.Timestamp("2024-01-30") + pd.to_timedelta(rng.integers(0, 900, rows), unit="D")
    special = {
        "ordered": lambda: pd.Categorical(words, categories=["blue", "red", "green", "never"], ordered=True),
        "whole_categories": lambda: pd.Categorical(whole),
        "objects_of_bools": lambda: pd.array(whole > 4).astype(object),
        "objects_of_dates": lambda: pd.Series(days.date, dtype=object),
        "zoned": lambda: days.tz_localize("Europe/Paris"),
        "timedelta64[us]": lambda: (days - days[0]).astype(kind),
        "whole_floats": lambda: whole.astype(float),
    }
    if kind in special:
        return pd.Series(special[kind]())
    if kind.startswith("datetime"):
        return pd.Series(days.astype(kind))
    if kind in ("string", "str", "object", "category"):
        return pd.Series(words).astype(kind)
    return pd.Series(whole > 4 if kind.startswith("bool") else whole + rng.normal() * (kind[0] in "fF")).astype(kind)


def table(rows: int = 40, missing: float = 0.2, seed: int = 0) -> pd.DataFrame:
    """Return one column of each dtype, with missing values where the dtype can have them."""
    rng = np.random.default_rng(seed)
    columns = {kind: column(kind, rows, rng) for kind in DTYPES}
    for kind, cells in columns.items():
        if kind not in ("int64", "uint8", "bool"):
            cells[rng.random(rows) < missing] = None
    return pd.DataFrame(columns)


def normal(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    common = rng.normal(size=rows)
    return pd.DataFrame({"a": common, "b": 2 * common + rng.normal(size=rows), "c": rng.choice(["x", "y"], rows)})


@pytest.mark.parametrize("model", ["mean", "median", "mode", *NEURAL])
def test_missing_values_are_filled_and_nothing_else_changes(model: str) -> None:
    X = table()
    filled = TableImputer(model, params={"epochs": 1} if model in NEURAL else None).fit_transform(X)
    assert not filled.isna().any(axis=None)
    pd.testing.assert_frame_equal(filled.where(X.notna(), None), X.where(X.notna(), None))
    pd.testing.assert_series_equal(filled.dtypes, X.dtypes)
    for kind in LEVELS:
        assert set(filled[kind]) <= set(X[kind].dropna())
    for kind in NUMBERS + TIMES:
        assert X[kind].dropna().min() <= filled[kind].min()
        assert filled[kind].max() <= X[kind].dropna().max()


@given(seed=st.integers(0, 10_000), rows=st.integers(2, 30), missing=st.sampled_from([0.0, 0.3, 0.6]))
@settings(max_examples=10, deadline=None)
@pytest.mark.filterwarnings("ignore:column .* is left out")
def test_observed_cells_stay_in_any_table(seed: int, rows: int, missing: float) -> None:
    X = table(rows, missing, seed)
    kept = X.copy(deep=True)
    filled = TableImputer("mean").fit_transform(X)
    pd.testing.assert_frame_equal(X, kept)
    pd.testing.assert_frame_equal(filled.where(X.notna(), None), X.where(X.notna(), None))
    empty = X.columns[X.isna().all()]
    assert filled.drop(columns=empty).notna().all(axis=None)
    assert filled[empty].isna().all(axis=None)


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([5, 5, 5, 2, 2] * 8),
        pd.Index([f"row {at}" for at in range(40)][::-1], name="name"),
        pd.MultiIndex.from_product([range(4), range(10)], names=["u", "v"]),
        pd.Index([None] * 40),
    ],
    ids=["repeated", "texts", "levels", "nothing"],
)
def test_index_and_column_order_are_kept(index: pd.Index) -> None:
    X = table().set_index(index)[DTYPES[::-1]]
    imputer = TableImputer("median").fit(X)
    filled = imputer.transform(X)
    pd.testing.assert_index_equal(filled.index, X.index)
    assert list(filled.columns) == DTYPES[::-1]
    pd.testing.assert_frame_equal(filled.reset_index(drop=True), imputer.transform(X.reset_index(drop=True)))
    assert AnomalyDetector("knn", **QUICK).fit(X).predict(X).shape == (40,)


@pytest.mark.parametrize(
    "columns",
    [pd.RangeIndex(3), pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)]), pd.date_range("2024", periods=3)],
    ids=["numbers", "levels", "dates"],
)
def test_any_column_names_are_kept(columns: pd.Index) -> None:
    X = pd.DataFrame([[1.0, 2.5, None], [2.0, None, 5.5], [4.0, 3.5, 1.5]], columns=columns)
    filled = TableImputer("median").fit_transform(X)
    pd.testing.assert_index_equal(filled.columns, columns)
    assert filled.to_numpy().tolist() == [[1, 2.5, 3.5], [2, 3, 5.5], [4, 3.5, 1.5]]


@pytest.mark.parametrize("dtype", ["Int64", "int64[pyarrow]", "float64"])
def test_whole_numbers_are_rounded_to_unless_asked_not_to(dtype: str) -> None:
    X = pd.DataFrame({"whole": pd.array([0, 1, 2, 2, None], dtype=dtype), "other": [0.5, 1.0, 2.0, 2.0, 1.0]})
    rounded = TableImputer("mean").fit_transform(X)
    assert rounded["whole"].dtype == X["whole"].dtype
    assert rounded["whole"].tolist() == [0, 1, 2, 2, 1]
    exact = TableImputer("mean", round=False).fit_transform(X)
    assert exact["whole"].tolist() == pytest.approx([0, 1, 2, 2, 1.25])
    assert pd.api.types.is_float_dtype(exact["whole"].dtype)


def test_large_whole_numbers_keep_every_digit() -> None:
    large = 2**60 + 1
    X = pd.DataFrame({"n": pd.array([large, large + 2, None], dtype="Int64"), "x": [1.0, 2.0, 3.0]})
    assert TableImputer("median").fit_transform(X)["n"].tolist()[:2] == [large, large + 2]


def test_a_fill_may_be_a_category_that_the_new_table_does_not_list() -> None:
    imputer = TableImputer("mode").fit(pd.DataFrame({"c": pd.Categorical(["a", "a", "b"]), "x": [1, 2, 4]}))
    new = pd.DataFrame({"c": pd.Categorical(["b", None], categories=["b"]), "x": [1, 2]})
    filled = imputer.transform(new)["c"]
    assert filled.tolist() == ["b", "a"]
    assert filled.dtype == pd.CategoricalDtype(["b", "a"])
    assert imputer.transform(pd.DataFrame({"c": ["b", "b"], "x": [None, 4.0]}))["x"].tolist() == [1, 4]


def test_an_array_gives_an_array_and_the_same_fills_as_a_frame() -> None:
    X = np.where(np.random.default_rng(0).random((30, 3)) < 0.2, np.nan, np.arange(90).reshape(30, 3) % 7)
    filled = TableImputer("mean").fit_transform(X)
    assert type(filled) is np.ndarray
    assert filled.dtype == np.float64
    np.testing.assert_array_equal(filled[~np.isnan(X)], X[~np.isnan(X)])
    np.testing.assert_array_equal(filled, TableImputer("mean").fit_transform(pd.DataFrame(X)).to_numpy())


def test_an_array_is_matched_with_a_frame_by_position() -> None:
    X = normal(30)[["a", "b"]]
    of_frame, of_array = (AnomalyDetector("knn", **QUICK).fit(rows) for rows in (X, X.to_numpy()))
    expected = of_frame.score_samples(X)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        np.testing.assert_array_equal(of_frame.score_samples(X.to_numpy()), expected)
    with pytest.warns(UserWarning, match="fitted without feature names"):
        np.testing.assert_array_equal(of_array.score_samples(X), expected)
    np.testing.assert_array_equal(of_array.score_samples(pd.DataFrame(X.to_numpy())), expected)


def test_names_of_features_and_the_chosen_output() -> None:
    X = table()[["float64", "Int64"]]
    imputer = TableImputer("median").fit(X)
    assert imputer.get_feature_names_out().tolist() == ["float64", "Int64"]
    assert TableImputer("median").fit(np.eye(3)).get_feature_names_out().tolist() == ["x0", "x1", "x2"]
    framed = TableImputer("median").set_output(transform="pandas").fit(np.eye(3)).transform(np.eye(3))
    pd.testing.assert_frame_equal(framed, pd.DataFrame(np.eye(3), columns=["x0", "x1", "x2"]))
    pd.testing.assert_frame_equal(imputer.set_output(transform="pandas").transform(X), imputer.transform(X))


def test_pipelines() -> None:
    X = normal(60)[["a", "b"]]
    y = X["a"] + 1
    X.loc[::7, "b"] = None
    pipeline = make_pipeline(TableImputer("mean"), LinearRegression()).fit(X, y)
    np.testing.assert_allclose(pipeline.predict(X), y)
    detector = make_pipeline(TableImputer("mean"), AnomalyDetector("knn", **QUICK))
    assert detector.set_params(anomalydetector__contamination=0.1).fit(X).predict(X).tolist().count(-1) == 6


def test_a_clone_has_the_parameters_and_nothing_learned() -> None:
    model = KNN(neighbours=2)
    detector = AnomalyDetector(model, contamination=0.2, **QUICK).fit(normal(30))
    copy = clone(detector)
    assert copy.get_params() == detector.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(normal(30))


def test_an_instance_is_used_with_its_parameters_and_stays_unfitted() -> None:
    X = normal(30)
    model = KNN(neighbours=2)
    of_instance = AnomalyDetector(model, **QUICK).fit(X).score_samples(X)
    of_name = AnomalyDetector("knn", params={"neighbours": 2}, **QUICK).fit(X).score_samples(X)
    np.testing.assert_array_equal(of_instance, of_name)
    assert model.state().arrays == {}


def test_random_states() -> None:
    X = normal(40)

    def scores(random_state: Any) -> np.ndarray:
        detector = AnomalyDetector("iforest", params={"trees": 5}, calibrate=False, random_state=random_state)
        return detector.fit(X).score_samples(X)

    assert not np.array_equal(scores(None), scores(None))
    for same in (lambda: 3, lambda: np.int64(3), lambda: np.random.RandomState(3), lambda: np.random.default_rng(3)):
        np.testing.assert_array_equal(scores(same()), scores(same()))
    np.testing.assert_array_equal(scores(3), scores(np.int64(3)))


def test_anomalous_rows_score_lower_and_are_predicted() -> None:
    X = normal(100)
    anomalous = pd.DataFrame({"a": [9.0, 0.0, 2.0], "b": [-9.0, 0.0, -6.0], "c": ["x", "never", "y"]})
    for model in ("knn", "iforest", *NEURAL):
        detector = AnomalyDetector(model, params={"epochs": 20} if model in NEURAL else None, **QUICK).fit(X)
        assert detector.score_samples(anomalous).max() < np.median(detector.score_samples(X)), model
        assert detector.predict(anomalous)[0] == -1, model
        np.testing.assert_array_equal(detector.predict(anomalous) == -1, detector.decision_function(anomalous) < 0)


@pytest.mark.parametrize("share", [0.05, 0.5, np.float64(0.25)])
def test_contamination_is_the_share_of_training_rows(share: float) -> None:
    X = normal(100)
    assert (AnomalyDetector("knn", contamination=share, **QUICK).fit_predict(X) == -1).sum() == round(100 * share)


def test_with_contamination_auto_the_unseen_rows_of_the_same_kind_are_seldom_outliers() -> None:
    X, new = normal(500), normal(2000, seed=1)
    detector = AnomalyDetector("knn").fit(X)
    assert -1 in detector.predict(X)
    assert (detector.predict(new) == -1).mean() == pytest.approx(0.01, abs=0.015)


def test_p_values_of_new_normal_rows_are_uniform() -> None:
    detector = AnomalyDetector("knn").fit(normal(500))
    p = detector.p_values(normal(2000, seed=1))
    assert [(p <= share).mean() for share in (0.05, 0.5, 0.75)] == pytest.approx([0.05, 0.5, 0.75], abs=0.06)
    assert detector.p_values(pd.DataFrame({"a": [30.0], "b": [-30.0], "c": ["x"]})) == pytest.approx(1 / 501)


def test_a_calibrated_network_has_p_values_and_intervals() -> None:
    X = normal(120)
    detector = AnomalyDetector("linear", params={"epochs": 20}).fit(X)
    p = detector.p_values(X)
    assert ((p > 0) & (p <= 1)).all()
    assert len(np.unique(p)) > 60
    numbers = detector.explain(X[:5]).query("column != 'c'")
    assert (numbers["low"] < numbers["expected"].astype(float)).all()
    assert (numbers["expected"].astype(float) < numbers["high"]).all()


@pytest.mark.parametrize("model", NEURAL)
def test_contributions_sum_to_the_score(model: str) -> None:
    X = table()
    X.loc[3, ["float64", "str"]] = [1e6, "never seen"]
    detector = AnomalyDetector(model, params={"epochs": 2}, **QUICK).fit(X)
    new = X.copy()
    new.loc[4, "str"], new.loc[5, "int64"] = "another", 1000
    cells = detector.explain(new)
    assert list(cells.columns) == ["row", "column", "contribution", "observed", "expected", "low", "high"]
    assert cells["row"].tolist() == [row for row in range(40) for _ in DTYPES]
    np.testing.assert_allclose(cells.groupby("row")["contribution"].sum(), -detector.score_samples(new), rtol=1e-5)
    assert cells.groupby("row")["contribution"].idxmax()[5] == 5 * len(DTYPES) + DTYPES.index("int64")


def test_explanations_show_cells_as_the_table_has_them() -> None:
    X = pd.DataFrame({"size": [1, 2, 3, 4] * 5, "colour": ["red", None, "red", "blue"] * 5})
    cells = AnomalyDetector("iforest", **QUICK).fit(X).explain(X[:2])
    assert cells["column"].tolist() == ["size", "colour"] * 2
    assert [None if pd.isna(text) else text for text in cells["observed"]] == ["1", "red", "2", None]
    assert cells["expected"].tolist()[1] == "red"
    assert cells["low"].isna().all()


def test_unfitted_use_says_so() -> None:
    detector, imputer = AnomalyDetector("knn"), TableImputer("mean")
    methods = (
        detector.predict,
        detector.score_samples,
        detector.decision_function,
        detector.p_values,
        detector.explain,
    )
    for method in (*methods, imputer.transform, imputer.get_feature_names_out):
        with pytest.raises(NotFittedError):
            method(normal(3))


def test_p_values_need_a_calibrated_detector() -> None:
    with pytest.raises(UsageError, match="calibrate=True"):
        AnomalyDetector("knn", calibrate=False).fit(normal(30)).p_values(normal(3))


def test_unknown_models_are_a_value_error_with_a_hint() -> None:
    with pytest.raises(UnknownModelError, match="did you mean 'undercomplete'") as caught:
        AnomalyDetector("undercomplet").fit(normal(30))
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model": "median"}, "cannot score; it can: impute"),
        ({"model": KNN}, "expected a model's name, or an instance"),
        ({"params": {"neighbors": 3}}, "did you mean 'neighbours'"),
        ({"params": {"neighbours": 0}}, "neighbours=0: expected a value from 1"),
        ({"model": KNN(), "params": {"neighbours": 3}}, "expected none, for the model is an instance"),
        ({"contamination": 0.0}, "expected 'auto' or a number"),
        ({"contamination": 0.6}, "expected 'auto' or a number"),
        ({"contamination": "few"}, "expected 'auto' or a number"),
        ({"contamination": None}, "expected 'auto' or a number"),
        ({"random_state": -1}, "a whole number from 0"),
        ({"random_state": "1"}, "a whole number from 0"),
    ],
)
def test_unusable_parameters_are_usage_errors(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        AnomalyDetector(**{"model": "knn", **settings}).fit(normal(30))


def test_a_column_without_a_cell_warns_and_stays_empty() -> None:
    X = normal(30).assign(nothing=np.nan, none=None)
    with pytest.warns(UserWarning, match=r"'(nothing|none)' is left out: every cell is missing") as caught:
        filled = TableImputer("median").fit_transform(X)
    assert len(caught) == 2
    pd.testing.assert_frame_equal(filled, X)
    with pytest.warns(UserWarning, match="'x1' is left out") as caught:
        imputer = TableImputer("median").fit(np.array([[1.0, np.nan], [3.0, np.nan]]))
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(imputer.transform([[np.nan, np.nan]]), [[2, np.nan]])


def test_columns_of_one_name_are_refused() -> None:
    X = pd.DataFrame(np.eye(4), columns=["a", "b", "a", "c"])
    with pytest.raises(SourceError, match="several columns named 'a'; rename them"):
        TableImputer("mean").fit(X)
    fitted = TableImputer("mean").fit(X.set_axis(list("abcd"), axis=1))
    with pytest.raises(SourceError, match="several columns named 'a'"):
        fitted.transform(X)


@pytest.mark.parametrize("X", [normal(5)[["a", "b"]], normal(5)[["a", "b"]].to_numpy()], ids=["frame", "array"])
def test_infinite_numbers_are_refused_by_the_name_of_their_column(X: Any) -> None:
    bad = X.copy()
    if isinstance(bad, pd.DataFrame):
        bad.iloc[3, 1] = np.inf
    else:
        bad[3, 1] = -np.inf
    fitted = AnomalyDetector("knn", **QUICK).fit(X)
    for call in (AnomalyDetector("knn", **QUICK).fit, fitted.predict, TableImputer("mean").fit):
        with pytest.raises(SourceError, match=r"column '(b|x1)' holds an infinite number in row 3"):
            call(bad)


@pytest.mark.parametrize(
    "cells",
    [[1, "a", 2], ["a", 1, None], [2**70, 1, 2], np.array([1j, 2, 3]), pd.arrays.SparseArray([1.0, 2.0, np.nan])],
    ids=["mixed", "mixed too", "huge", "complex", "sparse"],
)
def test_columns_that_cannot_be_read_are_named(cells: Any) -> None:
    with pytest.raises(SchemaError, match=r"column 'odd' of type .* cannot be read"):
        TableImputer("mean").fit(pd.DataFrame({"odd": pd.Series(cells), "x": [1, 2, 3]}))


def test_tables_that_are_too_small_and_texts_for_numbers_are_value_errors() -> None:
    for rows in (normal(5)[:0], normal(5)[[]], normal(1)):
        with pytest.raises(ValueError, match=r"0 sample|1 row"):
            AnomalyDetector("knn", **QUICK).fit(rows)
    with pytest.raises(SchemaError, match="column 'a' holds 'many' in row 0"):
        AnomalyDetector("knn", **QUICK).fit(normal(30)).predict(normal(2).assign(a="many"))


def test_identifiers_and_free_text_are_left_out_and_kept_as_they_are() -> None:
    X = normal(30).assign(who=[f"person {at}" for at in range(29)] + [None], many=[[at] for at in range(30)])
    with pytest.warns(UserWarning, match=r"column '(who|many)' is left out"):
        filled = TableImputer("mean").fit_transform(X)
    pd.testing.assert_frame_equal(filled, X)
