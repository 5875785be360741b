"""The measures of synthetic rows against SDMetrics, SciPy, brute force, and rows of known quality."""

import dataclasses
import itertools
import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import ks_2samp
from scipy.stats.contingency import association
from sklearn.metrics import roc_auc_score

from anomalo.errors import SchemaError, UsageError
from anomalo.evaluation.synthetic import utility
from anomalo.evaluation.synthetic.correlations import Pairs, column_pairs, quality
from anomalo.evaluation.synthetic.distributions import OTHERS, column_distributions
from anomalo.evaluation.synthetic.marginals import column_shapes, missing_shares
from anomalo.evaluation.synthetic.measures import Fidelity, Usefulness, measure
from anomalo.evaluation.synthetic.privacy import Closeness, closeness, closest, copies
from anomalo.evaluation.synthetic.report import report
from anomalo.evaluation.synthetic.summary import assess
from anomalo.evaluation.synthetic.tables import Rows, of_frames, side_by_side
from anomalo.evaluation.synthetic.utility import distinguishability, usefulness
from anomalo.tabular.column import write_notes
from anomalo.tabular.schema import SchemaOptions, infer

KINDS = {"height": "number", "weight": "number", "children": "number"} | dict.fromkeys(
    ["size", "colour", "hat"], "category"
)
NAN = float("nan")


def people(seed: int, rows: int, slope: float = 1.0, missing: float = 0.1) -> pd.DataFrame:
    """Related and unrelated columns, ties, missing values, and a level that only one seed has."""
    rng = np.random.default_rng(seed)
    height = rng.normal(170, 10, rows).round(1)
    weight = (slope * height - 90 + rng.normal(0, 5, rows)).round(1)
    frame = pd.DataFrame({"height": height, "weight": weight, "children": rng.poisson(1.5, rows).astype(float)})
    frame["size"] = np.where(frame["height"] + rng.normal(0, 3 + 5 * seed, rows) > 170, "tall", "short")
    frame["colour"] = rng.choice(["red", "green", "blue"] if seed else ["red", "green"], rows)
    frame["hat"] = np.where(rng.random(rows) < 0.8, frame["colour"], "none")
    return frame.mask(rng.random(frame.shape) < missing)


@pytest.fixture(scope="module")
def rows() -> dict[str, Rows]:
    return of_frames({"real": people(0, 300), "synthetic": people(1, 200, 0.4)}, SchemaOptions(kinds=KINDS))


def numeric(matrix: Any) -> Rows:
    cells = np.asarray(matrix, dtype=np.float64)
    return Rows(tuple(f"x{at}" for at in range(cells.shape[1])), ((),) * cells.shape[1], cells)


# Tables


def test_tables_of_any_source_are_read_alike() -> None:
    typed = pa.table({"n": [1.0, 2.0, None], "c": ["b", None, "a"], "flag": [True, False, True]})
    text = pa.table({"c": ["a", "z", "?"], "flag": ["true", "false", ""], "n": ["2", "", "7.5"]})
    text = text.cast(write_notes(text.schema, {"text": True}))
    found = side_by_side({"real": typed, "other": text}, infer(typed))
    assert found["real"].levels == ((), ("a", "b", "z"), ("true", "false"))
    np.testing.assert_array_equal(found["real"].cells, [[1, 1, 0], [2, NAN, 1], [NAN, 0, 0]])
    np.testing.assert_array_equal(found["other"].cells, [[2, 0, 0], [NAN, 2, 1], [7.5, NAN, NAN]])


def test_a_column_that_is_absent_or_of_another_kind_is_named() -> None:
    typed = pa.table({"n": [1.0, 2.5], "c": ["b", "a"]})
    with pytest.raises(SchemaError, match="the other rows lack column 'c'"):
        side_by_side({"real": typed, "other": pa.table({"n": [1.0]})}, infer(typed))
    with pytest.raises(SchemaError, match="'n'"):
        side_by_side({"real": typed, "other": pa.table({"n": ["many"] * 2, "c": ["a"] * 2})}, infer(typed))


# Columns and pairs


def test_the_quality_is_what_sdmetrics_says(rows: dict[str, Rows]) -> None:
    """Figures of SDMetrics 0.32 for the same two tables; it adds a millionth to the counts of new levels."""
    shapes, pairs = column_shapes(rows["real"], rows["synthetic"]), column_pairs(rows["real"], rows["synthetic"])
    expected = [0.920930780097316, 0.0, 0.927007299270073, 0.9606794963174151, 0.6818181854678169, 0.7388888927799395]
    np.testing.assert_allclose(shapes, expected, atol=1e-7)
    np.testing.assert_allclose(pairs.similarity[pairs.related], [0.887678, 0.778333, 0.658333, 0.671667], atol=1e-6)
    assert pairs.trend() == pytest.approx(0.7490028119708565, abs=1e-12)
    assert quality(shapes, pairs) == pytest.approx(0.726945127146475, abs=1e-8)


def test_a_numbers_shape_is_scipys_statistic(rows: dict[str, Rows]) -> None:
    one, other = (rows[name].cells[:, 2] for name in ("real", "synthetic"))
    expected = 1 - ks_2samp(one[~np.isnan(one)], other[~np.isnan(other)]).statistic
    assert column_shapes(rows["real"], rows["synthetic"])[2] == pytest.approx(expected, abs=1e-12)


def test_association_is_scipys(rows: dict[str, Rows]) -> None:
    frame = people(0, 300).astype(object).where(lambda cells: cells.notna(), "missing")
    pairs = column_pairs(rows["real"], rows["synthetic"])
    names = list(itertools.combinations(frame.columns, 2))
    table = pd.crosstab(frame["colour"], frame["hat"]).to_numpy()
    at = names.index(("colour", "hat"))
    assert pairs.strength[at] == pytest.approx(association(table, method="cramer"), abs=1e-12)


def test_constant_and_empty_columns_say_nothing() -> None:
    real = numeric([[1, 2, NAN], [1, 3, NAN], [1, 4, NAN]])
    shapes, pairs = column_shapes(real, real), column_pairs(real, real)
    np.testing.assert_array_equal(shapes, [1, 1, NAN])
    assert np.isnan(pairs.similarity).all()
    assert np.isnan(pairs.trend())
    assert quality(shapes, pairs) == 1
    np.testing.assert_allclose(missing_shares(real), [0, 0, 1])


def test_distributions_add_up_and_name_the_frequent_levels(rows: dict[str, Rows]) -> None:
    frame = pd.DataFrame({"level": [f"l{at:02}" for at in range(20) for _ in range(20 - at)]})
    many = of_frames({"train": frame, "synthetic": frame.iloc[:30]})
    for distribution in [*column_distributions(rows), *column_distributions(many)]:
        for shares in distribution["shares"].values():
            assert sum(shares) == pytest.approx(1)
    distribution = column_distributions(many)[0]
    assert distribution["levels"][0] == "l00"
    assert distribution["levels"][-1] == OTHERS
    assert distribution["shares"]["train"][0] == pytest.approx(20 / 210)


# Trees


def test_equal_origins_are_indistinguishable_others_are_not_and_copies_look_too_good() -> None:
    one, other = (
        of_frames({"rows": people(0, 500, missing=0)})["rows"].take(part) for part in (slice(0, 250), slice(250, None))
    )
    copied = one.take(np.random.default_rng(0).integers(0, 250, 250))
    assert distinguishability(one, other) == pytest.approx(0.5, abs=0.1)
    assert distinguishability(one, copied) < 0.42
    shuffled = Rows(one.columns, one.levels, np.column_stack([np.roll(one.cells[:, at], 7 * at) for at in range(6)]))
    assert distinguishability(one, shuffled) > 0.8


def test_rows_teach_what_they_hold() -> None:
    frames = {"train": people(0, 400, missing=0), "test": people(0, 800, missing=0).iloc[400:]}
    frames["noise"] = frames["train"].assign(size=np.random.default_rng(1).permutation(frames["train"]["size"]))
    found = of_frames(frames)
    assert usefulness(found["train"], found["test"], "size") > 0.9
    assert usefulness(found["noise"], found["test"], "size") == pytest.approx(0.5, abs=0.15)
    assert usefulness(found["train"], found["test"], "weight") > 0.6
    assert np.isnan(usefulness(found["train"].take(np.zeros(20, dtype=int)), found["test"], "size"))


def test_the_area_of_several_classes_is_scikit_learns_and_a_level_never_seen_has_no_chance() -> None:
    rng = np.random.default_rng(0)
    truth, proba = rng.integers(0, 3, 60), rng.dirichlet([1, 1, 1], 60)
    ours = utility._auroc(proba, np.arange(3), truth.astype(float))
    assert ours == pytest.approx(roc_auc_score(truth, proba, multi_class="ovo"), abs=1e-12)
    certain = np.eye(3)[truth][:, :2]
    assert utility._auroc(certain, np.array([0, 1]), truth.astype(float)) == pytest.approx(5 / 6)


# Distances


def test_closest_rows_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((700, 3)).astype(np.float32), rng.standard_normal((40, 3)).astype(np.float32)
    apart = np.sqrt(np.square(one[:, None].astype(np.float64) - other).sum(axis=2))
    near, back = closest(one, other)
    np.testing.assert_allclose(near, apart.min(axis=1), atol=1e-5)
    np.testing.assert_allclose(back, apart.min(axis=0), atol=1e-5)


def test_the_share_of_nearer_rows_by_hand_ties_count_half() -> None:
    train, holdout = numeric([[0.0], [10.0]]), numeric([[4.0], [20.0]])
    found = closeness(train, holdout, numeric([[1.0], [11.0], [19.0], [2.0]]))
    assert found.nearer_share == (2 + 0.5) / 4
    np.testing.assert_allclose(found.to_train, np.array([1, 1, 9, 2]) / 5)
    assert found.membership == 0.75  # train: 1 and 1 away; holdout: 2 and 1


def test_levels_and_missing_values_are_one_apart() -> None:
    frames = {"train": pd.DataFrame({"a": ["x", "y"] * 3, "b": [1.0, 3.0] * 3})}
    frames["holdout"] = pd.DataFrame({"a": ["z"] * 2, "b": [1.0, np.nan]})
    frames["synthetic"] = pd.DataFrame({"a": ["x", None], "b": [1.0, np.nan]})
    found = of_frames(frames, SchemaOptions(kinds={"a": "category", "b": "number"}))
    distance = closeness(found["train"], found["holdout"], found["synthetic"])
    np.testing.assert_allclose(distance.to_holdout, [1, 1])
    assert distance.to_train[0] == 0


def test_copies_are_equal_in_every_cell_missing_ones_included() -> None:
    real = numeric([[1, NAN], [2, 3], [-0.0, 1]])
    assert copies(numeric([[1, NAN], [2, NAN], [0.0, 1], [2, 3]]), real) == 0.75


# Assessments and reports


def measured(**changes: Any) -> Fidelity:
    """The measures of good synthetic rows, with some changed."""
    pair = Pairs(np.array([0]), np.array([1]), np.array([0.9]), np.array([0.97]), np.array([True]))
    close = Closeness(np.ones(2000), np.ones(2000), 0.51, 0.5)
    good = Fidelity(np.array([0.98]), pair, 0.975, 0.55, 0.57, Usefulness("y", "AUROC", 0.9, 0.91), close, 0.0, 0.0)
    return dataclasses.replace(good, **changes)


CLOSE = Closeness(np.ones(2000), np.ones(2000), 0.57, 0.52)
LOOSE = Pairs(np.array([0]), np.array([1]), np.array([0.9]), np.array([0.7]), np.array([True]))
COPIED = Closeness(np.zeros(2000), np.ones(2000), 0.93, 0.7)


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({}, "useful and not copied"),
        ({"closeness": CLOSE}, "useful, but leaning towards the training rows"),
        ({"closeness": COPIED}, "copies of the training rows"),
        ({"copied": 0.3, "recurring": 0.02}, "copies of the training rows"),
        ({"copied": 0.3, "recurring": 0.3}, "useful and not copied"),
        ({"distinguishability_holdout": 0.99, "pairs": LOOSE}, "good columns, but relations between them differ"),
        (
            {"distinguishability_holdout": 0.99},
            "good columns and pairs of columns, but easy to distinguish from real rows",
        ),
        ({"distinguishability_holdout": 0.99, "shapes": np.array([0.5])}, "unlike the real rows"),
        ({"usefulness": Usefulness("y", "R2", 0.5, 0.8)}, "usable with care and not copied"),
        ({"usefulness": None}, "like the real rows and not copied"),
        ({"closeness": None, "distinguishability_holdout": None}, "useful; whether they are copies was not checked"),
    ],
)
def test_the_assessment_follows_the_measures(changes: dict[str, Any], title: str) -> None:
    assert assess(measured(**changes)).title == title


def test_few_rows_are_not_called_copies_by_chance() -> None:
    few = Closeness(np.ones(20), np.ones(20), 0.65, 0.5)
    assert assess(measured(closeness=few)).title == "useful and not copied"


def test_the_assessment_gives_figures_and_says_what_was_not_checked() -> None:
    assert any(
        "93.0 % of the rows are nearer to a training row" in reason
        for reason in assess(measured(closeness=COPIED)).reasons
    )
    assert assess(measured()).unchecked == ()
    unchecked = assess(measured(closeness=None, usefulness=None, distinguishability_holdout=None)).unchecked
    assert ["--holdout" in sentence for sentence in unchecked] == [True, True]
    equal = measured(closeness=None, copied=0.3, recurring=0.02)
    assert assess(equal).title == "copies of the training rows"
    assert assess(equal).unchecked == (), "what the title says is not called unchecked"


def test_rows_that_repeat_as_often_as_the_real_ones_are_no_copies() -> None:
    def draw(seed: int) -> Rows:
        rng = np.random.default_rng(seed)
        return numeric(np.column_stack([rng.integers(0, 3, 400), rng.integers(0, 4, 400), rng.integers(0, 2, 400)]))

    train, fresh = draw(0), draw(1)
    found = measure(train, fresh)
    frame = pd.DataFrame(train.cells)
    assert found.recurring == frame.duplicated(keep=False).mean() > 0.9
    assert found.copied > 0.9
    assert "copies of" not in assess(found).title
    assert f"as {100 * found.recurring:.1f} % of the training rows equal another one" in assess(found).reasons[0]
    distinct = numeric(np.random.default_rng(2).normal(size=(400, 3)))
    assert assess(measure(distinct, distinct.take(slice(0, 200)))).title == "copies of the training rows"


def test_a_report_is_json_and_holds_everything() -> None:
    frames = {"train": people(0, 120), "synthetic": people(0, 120).iloc[:60], "holdout": people(2, 60)}
    found = of_frames(frames, SchemaOptions(kinds=KINDS))
    measures = measure(found["train"], found["synthetic"], holdout=found["holdout"], label="size", seed=3)
    value = json.loads(json.dumps(report(measures, found), allow_nan=False))
    assert value["rows"] == {"train": 120, "synthetic": 60, "holdout": 60}
    assert value["assessment"]["title"] == "copies of the training rows"
    assert value["copied"] > 0.9
    assert [entry["column"] for entry in value["columns"]] == list(KINDS)
    assert len(value["pairs"]) == 15
    assert value["usefulness"]["label"] == "size"
    again = measure(found["train"], found["synthetic"], holdout=found["holdout"], label="size", seed=3)
    assert report(again, found) == report(measures, found)


def test_too_few_rows_or_no_such_label_are_refused(rows: dict[str, Rows]) -> None:
    with pytest.raises(UsageError, match="3 synthetic rows"):
        measure(rows["real"], rows["synthetic"].take(slice(0, 3)))
    with pytest.raises(UsageError, match="label 'sise'"):
        measure(rows["real"], rows["synthetic"], label="sise")
