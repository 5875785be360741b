"""What is shown of cells is true and in the column's own format, on the pages Row, Repairs and Alerts."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from anomalo.workspace.workspace import RunRecord, Workspace
from anomalo_dashboard import data, formatting
from anomalo_dashboard.cells import explained
from anomalo_dashboard.repairing import row_suggestion

ROWS = 300
NUMBERS = ("year", "stars", "price", "rate", "tiny", "huge", "distance")


def orders() -> pd.DataFrame:
    """Years, whole numbers, a currency, percent, tiny and huge numbers, long fractions, days, and an error in each."""
    rng = np.random.default_rng(3)
    common = rng.normal(size=ROWS)
    frame = pd.DataFrame(
        {
            "year": rng.integers(1990, 2025, ROWS),
            "stars": np.clip(np.round(3.5 + 0.6 * common + rng.normal(0, 0.3, ROWS)), 1, 5).astype(int),
            "price": [f"${price:,.2f}" for price in np.exp(7 + 0.5 * common)],
            "rate": [f"{rate:.1f} %" for rate in 12 + 3 * common + rng.normal(0, 1, ROWS)],
            "tiny": [f"{tiny:.3e}" for tiny in 1e-9 * (1 + 0.1 * common)],
            "huge": (1e12 * (1 + 0.1 * common)).astype(np.int64),
            "distance": 3 + common + rng.normal(0, 0.2, ROWS),
            "since": pd.Timestamp("2015-01-01") + pd.to_timedelta(rng.integers(0, 3000, ROWS), unit="D"),
        }
    ).astype(object)
    wrong = {"year": 1885, "stars": 50, "price": "$950,000.00", "distance": -40.0, "rate": "950.0 %", "tiny": "5.0e-07"}
    for at, (name, value) in enumerate(wrong.items()):
        frame.loc[at, name] = value
        frame.loc[20 + at : 22 + at, name] = None
    return frame


@pytest.fixture(scope="module")
def scored(anomalo: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with runs of score, impute and repair on that table."""
    home = tmp_path_factory.mktemp("truth")
    orders().to_csv(home / "orders.csv", index=False)
    common = ("--workspace", home / "w", "--device", "cpu")
    for command in (
        ("fit", home / "orders.csv", "--as", "m", "--model", "linear", "--set", "epochs=5"),
        ("score", home / "orders.csv", "--with", "m"),
        ("impute", home / "orders.csv", "--with", "m"),
        ("repair", home / "orders.csv", "--with", "m", "--threshold", "budget=9"),
    ):
        outcome = anomalo(*command, *common)
        assert outcome.code == 0, outcome.err
    return home / "w"


@pytest.fixture
def home(scored: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(scored))
    return scored


def run_of(home: Path, verb: str) -> RunRecord:
    return next(run for run in reversed(Workspace(home).runs()) if run.verb == verb)


def shown_cells(home: Path) -> pd.DataFrame:
    """Return all explained cells as the page Row shows them."""
    cells = pq.read_table(run_of(home, "score").path / "cells.parquet").to_pandas()
    return explained.table(cells, data.column_kinds("m@1"), data.column_units("m@1"))


def shown_repairs(home: Path) -> pd.DataFrame:
    """Return all suggestions as the page Repairs shows them."""
    lines = data.repairs(run_of(home, "repair")).to_pandas()
    shown = row_suggestion.cells(lines, data.column_kinds("m@1"), data.column_units("m@1"))
    return shown[shown["column"] != "no repair found"].rename(columns={"before": "observed", "after": "expected"})


def number(text: str) -> float:
    return float(re.sub(r"[$,% ]", "", text))


@pytest.mark.parametrize("shown", [shown_cells, shown_repairs], ids=["row", "repairs"])
def test_what_is_expected_lies_in_its_interval_as_both_are_written(shown: Any, home: Path) -> None:
    table = shown(home)
    table = table[table["column"].isin(NUMBERS) & (table["interval"] != "") & (table["expected"] != "")]
    assert len(table) >= 1
    for line in table.itertuples():
        low, high = map(number, line.interval.split(" to "))
        assert low <= number(line.expected) <= high, line


def test_fills_lie_in_their_intervals_as_both_are_written(home: Path) -> None:
    fills = pq.read_table(run_of(home, "impute").path / "fills.parquet").to_pandas()
    after = [formatting.pairs(pd.Series([None]), pd.Series([value]))[1][0] for value in fills["value"]]
    beside = zip(fills["value"], after, strict=True)
    intervals = formatting.intervals(fills, data.column_kinds("m@1"), data.column_units("m@1"), beside)
    assert set(fills["column"]) >= {"year", "price", "distance"}
    for name, value, interval in zip(fills["column"], after, intervals, strict=True):
        if name in NUMBERS:
            low, high = map(number, interval.split(" to "))
            assert low <= number(str(value)) <= high, (name, value, interval)


def test_cells_are_written_as_their_columns_are(home: Path) -> None:
    table = shown_cells(home)
    styles = {
        "year": r"1885|(19|20)\d\d|missing",
        "stars": r"\d+|missing",
        "price": r"\$[\d,]+\.\d\d|missing",
        "rate": r"-?\d+\.\d %|missing",
        "tiny": r"\d(\.\d+)?e-\d\d|missing",
        "huge": r"\d+",
        "distance": r"-?\d+(\.\d{1,6})?|missing",
        "since": r"\d{4}-\d\d-\d\d",
    }
    for name, style in styles.items():
        for text in table["observed"][table["column"] == name]:
            assert re.fullmatch(style, text), (name, text)
    intervals = table.set_index("column")["interval"]
    assert intervals["year"].str.fullmatch(r"\d{4} to \d{4}").all()
    assert intervals["price"].str.fullmatch(r"\$\d+(\.\d+)? to \$\d+(\.\d+)?").all()
    assert intervals["rate"].str.fullmatch(r"-?\d+(\.\d+)? % to -?\d+(\.\d+)? %").all()
    assert intervals["tiny"].str.fullmatch(r"(0|\d(\.\d+)?e-\d+) to \d(\.\d+)?e-\d+").all()
    assert (intervals["since"] == "").all()
    every = pd.concat([table["observed"], table["expected"]])
    assert not every.str.contains(r"\d[kM]\b|\.\d{7}").any()


def test_reasons_on_alerts_have_the_same_digits(home: Path) -> None:
    reasons = [text for text in data.scores(run_of(home, "score")).reasons.to_pylist() if text]
    assert any("year is 1885, expected " in text for text in reasons)
    assert not [text for text in reasons if re.search(r"\d[kM]\b|\.\d{7}", text)]


def test_a_rounded_value_lies_in_the_interval_beside_it() -> None:
    cells = pd.DataFrame(
        {
            "column": ["x", "price", "tiny"],
            "contribution": 1.0,
            "observed": ["9.379786", "$950.00", "5e-07"],
            "expected": ["2.9963421", "$12.3456", "1.23456e-09"],
            "low": [2.9, 12.345, 1.2345e-9],
            "high": [2.998, 12.3459, 1.2346e-9],
        }
    )
    shown = explained.table(cells, {}, {"price": ("$", "")})
    assert shown["expected"].tolist() == ["3.00", "$12.3", "1.23e-09"]
    assert shown["interval"].tolist() == ["2.9 to 3", "$12.3 to $12.4", "1.23e-9 to 1.24e-9"]
