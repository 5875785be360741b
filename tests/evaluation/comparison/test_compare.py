"""Comparisons: false alarms, power, p-values against permutation, segments against SciPy, and tables of all sorts."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats
from scipy.stats.contingency import relative_risk

from anomalo.errors import SchemaError
from anomalo.evaluation.comparison.aligned import aligned
from anomalo.evaluation.comparison.classifier import classifier_test, rank_sum
from anomalo.evaluation.comparison.columns import column_tests, log_chi_squared, log_smirnov
from anomalo.evaluation.comparison.compare import compare
from anomalo.evaluation.comparison.profile import Profile
from anomalo.evaluation.comparison.profiling import profile
from anomalo.evaluation.comparison.result import Comparison
from anomalo.evaluation.comparison.segments import find_segments, lift
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import SchemaOptions, infer


def profiles(before: pd.DataFrame, after: pd.DataFrame, **options: Any) -> tuple[Profile, Profile]:
    sides = [ParsedTable(pa.Table.from_pandas(side, preserve_index=False)) for side in (before, after)]
    schema = infer(sides[0], SchemaOptions(**options))
    return profile(sides[0], schema), profile(sides[1], schema)


def compared(before: pd.DataFrame, after: pd.DataFrame, **options: Any) -> Comparison:
    return compare(*profiles(before, after, **options))


def table(seed: int, rows: int = 2000) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    numbers = {f"x{i}": rng.normal(size=rows) for i in range(6)}
    region = rng.choice(["north", "south", "east", "west"], rows, p=[0.1, 0.4, 0.3, 0.2])
    kind = rng.choice(["web", "shop", "phone"], rows, p=[0.2, 0.5, 0.3])
    return pd.DataFrame(numbers | {"region": region, "kind": kind})


def correlated(seed: int, rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=rows)
    hidden = rng.random(rows) < 0.9
    return pd.DataFrame(
        {f"x{i}": factor + 0.1 * rng.normal(size=rows) for i in range(8)}
        | {"c": np.where(factor > 0.5, "high", "low"), "gap": np.where(hidden, np.nan, factor)}
        | {"tail": [f"t{i}" for i in rng.zipf(1.5, rows)]}
    )


def test_tables_of_one_distribution_seldom_differ() -> None:
    alarms = sum(compared(correlated(2 * at), correlated(2 * at + 1)).p_value <= 0.05 for at in range(30))
    assert alarms <= stats.binom.isf(0.01, 30, 0.05)


def test_a_shift_is_found_and_its_column_is_first() -> None:
    for seed in range(5):
        after = table(100 + seed)
        found = compared(table(seed), after.assign(x3=after.x3 + 0.3))
        assert found.differs
        assert found.columns[0].column == "x3"
        assert "median" in found.columns[0].change
        assert "x3 (median" in found.summary


def test_a_changed_correlation_with_equal_margins_is_found() -> None:
    for seed in range(5):
        after = table(100 + seed)
        after = after.assign(x5=0.35 * after.x4 + np.sqrt(1 - 0.35**2) * after.x5)
        found = compared(table(seed), after)
        assert found.differs
        assert {column.column for column in found.columns if column.differs} == {"x4", "x5"}
        assert found.tests["columns"] is not None
        assert found.tests["columns"] > 0.05, "the columns alone do not show it"
        assert "rank correlation" in found.columns[0].change


def test_a_segment_of_two_columns_is_named_with_its_lift() -> None:
    for seed in range(5):
        before, after = table(seed, 5000), table(100 + seed, 5000)
        chosen = np.random.default_rng(seed).random(5000) < 0.04
        after = after.assign(region=np.where(chosen, "north", after.region), kind=np.where(chosen, "web", after.kind))
        found = compared(before, after)
        first = found.segments[0]
        assert first.segment == "region=north & kind=web"
        low, high = first.interval
        assert low is not None
        assert high is not None
        assert low < 3 < high
        assert len(found.segments) == 1, "region=north and kind=web alone are only its overlaps"


@pytest.mark.slow
def test_no_segments_where_nothing_differs() -> None:
    assert sum(len(compared(table(2 * at), table(2 * at + 1)).segments) for at in range(20)) <= 2


def test_the_interval_of_a_lift_is_scipys() -> None:
    for counts, sizes in [((20, 61), (1000, 1000)), ((7, 3), (50, 60)), ((1, 200), (5000, 400))]:
        known = relative_risk(counts[1], sizes[1], counts[0], sizes[0])
        ratio, interval = lift(counts, sizes)
        assert ratio == pytest.approx(known.relative_risk)
        assert interval == pytest.approx(tuple(known.confidence_interval(0.95)))
    ratio, (low, high) = lift((0, 30), (1000, 1000))
    assert (ratio, high) == (math.inf, math.inf)
    assert 1 < low < 60


def test_the_p_value_of_a_segment_is_fishers_times_the_number_of_segments() -> None:
    before, after = pd.DataFrame({"c": ["a"] * 30 + ["b"] * 170}), pd.DataFrame({"c": ["a"] * 60 + ["b"] * 140})
    _, p_value = find_segments(aligned(*profiles(before, after)), 0.05)
    exact = stats.fisher_exact([[60, 140], [30, 170]], alternative="greater").pvalue
    assert p_value == pytest.approx(2 * exact)  # a and b: no cell is missing


def test_the_p_value_of_missing_cells_is_fishers() -> None:
    before = pd.DataFrame({"x": [np.nan] * 10 + [1.0, 2.0] * 45})
    after = pd.DataFrame({"x": [np.nan] * 25 + [1.0, 2.0] * 38})
    (test,) = column_tests(aligned(*profiles(before, after)))
    tails = [stats.fisher_exact([[25, 76], [10, 90]], alternative=side).pvalue for side in ("greater", "less")]
    assert math.exp(test.log_p) == pytest.approx(min(1, 2 * 2 * min(tails)))
    assert test.by_missing


def test_the_p_values_of_columns_are_those_of_permutations() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=60), rng.normal(0.4, 1, 50)
    codes = rng.integers(0, 3, 80).astype(float), rng.choice(3, 90, p=[0.5, 0.3, 0.2]).astype(float)
    for statistic, log_p, sides in (
        (lambda a, b: log_smirnov(a, b)[1], log_smirnov(first, second)[0], (first, second)),
        (lambda a, b: -log_chi_squared(a, b)[0], log_chi_squared(*codes)[0], codes),
    ):
        pooled, size, observed = np.concatenate(sides), len(sides[0]), statistic(*sides)
        permuted = [rng.permutation(pooled) for _ in range(2000)]
        share = np.mean([statistic(each[:size], each[size:]) >= observed - 1e-12 for each in permuted])
        assert math.exp(log_p) == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 2000) + 0.004)


def test_a_p_value_below_all_numbers_has_a_logarithm() -> None:
    log_p, distance = log_smirnov(np.arange(20_000.0), np.arange(20_000.0) + 15_000)
    assert distance == pytest.approx(0.75)
    assert log_p == pytest.approx(math.log(2) - 2 * 10_000 * 0.75**2, rel=1e-3)


def test_the_rank_sum_is_that_of_permuted_labels() -> None:
    rng = np.random.default_rng(1)
    scores, now = np.round(rng.normal(size=90), 1), np.arange(90) < 40
    scores[now] += 0.3
    p_value, auroc = rank_sum(scores, now)
    permuted = [rank_sum(scores, rng.permutation(now))[1] for _ in range(2000)]
    share = np.mean(np.array(permuted) >= auroc)
    assert p_value == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 2000) + 0.003)


@pytest.mark.slow
def test_the_classifier_alone_keeps_its_level_and_sees_no_half_that_it_scores() -> None:
    p_values = []
    for at in range(60):
        data = aligned(*profiles(correlated(2 * at), correlated(2 * at + 1)))
        found = classifier_test(data, seed=at)
        assert found is not None
        p_values.append(found.p_value)
    assert sum(p <= 0.1 for p in p_values) <= stats.binom.isf(0.01, 60, 0.1)


def test_copies_of_rows_are_no_further_rows() -> None:
    alarms = 0
    for at in range(10):
        sides = [table(seed, 400).iloc[np.tile(np.arange(400), 3)] for seed in (2 * at, 2 * at + 1)]
        found = compared(*sides)
        assert found.copies == [800, 800]
        alarms += found.differs
    assert alarms <= 2
    few = pd.DataFrame({"a": ["x", "y"] * 500, "b": ["u", "u", "v", "v"] * 250})
    assert compared(few, few).copies == [0, 0], "rows of few values recur by themselves"


def test_the_same_table_and_its_reverse_do_not_differ() -> None:
    found = compared(table(1), table(1)[::-1])
    assert not found.differs
    assert found.p_value == 1


def test_what_only_grows_is_left_out_and_said() -> None:
    def day(seed: int, first: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        when = pd.Timestamp("2026-01-01") + pd.to_timedelta(
            np.sort(rng.integers(0, 86_400, 500)) + first * 100, unit="s"
        )
        return pd.DataFrame({"number": np.arange(first, first + 500), "when": when, "x": rng.normal(size=500)})

    found = compared(day(1, 0), day(2, 500), kinds={"number": "integer"})
    assert not found.differs
    left = {column.column: column.left_out for column in found.columns if column.left_out}
    assert left == {"number": "it counts rows", "when": "it says when a row came"}
    assert any("'number': values not compared, it counts rows" in note for note in found.notes)


def test_freshness_is_the_latest_moment_and_its_age() -> None:
    def day(start: str) -> pd.DataFrame:
        return pd.DataFrame({"day": pd.date_range(start, periods=50), "x": np.arange(50.0) % 7})

    before, after = profiles(day("2026-01-01"), day("2026-02-01"))
    now = pd.Timestamp("2026-03-25").timestamp()
    found = compare(before, after, now=now)
    facts = found.freshness["day"]
    assert facts["latest"] == pd.Timestamp("2026-03-22").timestamp()
    assert facts["reference"] == pd.Timestamp("2026-02-19").timestamp()
    assert (facts["step"], facts["age"]) == (86_400, 3 * 86_400)
    assert any(note.startswith("the latest 'day' is 2026-03-22, 31 days after the reference's") for note in found.notes)


def test_new_and_vanished_levels_are_named() -> None:
    after = table(2)
    after = after.assign(region=after.region.replace({"north": "arctic"}))
    found = compared(table(1), after)
    (column,) = (column for column in found.columns if column.column == "region")
    assert (column.new, column.vanished) == (["arctic"], ["north"])
    assert found.columns[0] == column


def test_changes_of_the_schema_in_words() -> None:
    before, after = table(1), table(2)
    after = after.rename(columns={"x0": "x_0"}).drop(columns="x1").assign(x2="none at all", extra=1.0)
    found = compared(before, after)
    assert found.schema == [
        "column 'x0' is absent; 'x_0' is new: was it renamed?",
        "column 'x1' is absent",
        "column 'x_0' is new",
        "column 'extra' is new",
        "column 'x2' is not compared: 2,000 of 2,000 cells cannot be read as a number",
        "column 'x2' is stored as string, and was as double",
    ]
    assert found.differs
    assert found.summary.startswith("columns changed, and no other difference found")
    assert not compared(before, table(2).assign(extra=1.0)).differs, "a further column breaks nothing"


def test_swapped_columns_are_recognised() -> None:
    def sides(seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        return pd.DataFrame(
            {"width": rng.normal(3, 1, 800), "height": rng.normal(9, 2, 800), "x": rng.normal(size=800)}
        )

    after = sides(2).rename(columns={"width": "height", "height": "width"})
    assert compared(sides(1), after).schema == [
        "columns 'width' and 'height' look swapped: each holds what the other one held"
    ]
    assert compared(sides(1), sides(2)).schema == []


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_few_rows_are_compared_without_a_classifier(rows: int) -> None:
    found = compared(table(1), table(2, rows))
    assert found.tests["classifier"] is None
    assert not found.differs
    assert any("too few rows" in note for note in found.notes)


def test_constant_and_empty_columns() -> None:
    def side(value: float, missing: float, rows: int = 300) -> pd.DataFrame:
        return pd.DataFrame({"same": value, "gone": [missing] * rows, "x": np.arange(rows) % 17 + 0.5})

    assert not compared(side(1, np.nan), side(1, np.nan)).differs
    found = compared(side(1, np.nan), side(2, 5.0))
    assert {column.column for column in found.columns if column.differs} == {"same", "gone"}
    assert any(column.change == "missing 100.0 % → 0.0 %" for column in found.columns)
    found = compared(side(1, 5.0), side(1, np.nan))
    assert found.columns[0].change == "missing 0.0 % → 100.0 %"


def test_no_column_in_common_is_an_error() -> None:
    with pytest.raises(SchemaError, match="the tables have no column in common: a in the reference, b now"):
        compared(pd.DataFrame({"a": [1.5, 2.5]}), pd.DataFrame({"b": [1.5, 2.5]}))


def test_a_profile_is_restored_from_its_arrays() -> None:
    before, after = profiles(table(1), table(2).assign(x1=np.nan))
    again = Profile.restored(before.arrays())
    assert again.schema == before.schema
    assert compare(again, Profile.restored(after.arrays())) == compare(before, after)


def test_the_result_is_the_same_each_time_and_is_json_ready() -> None:
    import json

    before, after = profiles(table(1), table(2).assign(x1=3.0))
    found = compare(before, after)
    assert found == compare(before, after)
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["differs"]
