"""A run of series in a browser: channels as lines, a click on an interval, and the chart of the row's page."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

HOURS, ODD, GAP = 960, 500, range(700, 800)


def write(folder: Path) -> None:
    for name in ("usual", "pump"):
        rng = np.random.default_rng(len(name))
        flow = np.sin(np.arange(HOURS) * np.pi / 12) + 0.1 * rng.normal(size=HOURS)
        flow[ODD : ODD + 4] += 0 if name == "usual" else 4
        frame = pd.DataFrame({"time": pd.date_range("2026-01-01", periods=HOURS, freq="h"), "flow": flow.round(3)})
        frame.drop(index=[] if name == "usual" else list(GAP)).to_csv(folder / f"{name}.csv", index=False)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_click_on_an_interval_leads_to_its_peak(
    page: Any, serve: Callable[[Path], str], anomalo: Any, tmp_path: Path
) -> None:
    write(tmp_path)
    of = ("--workspace", tmp_path / "ws")
    fit = ("fit", tmp_path / "usual.csv", "--time", "time", "--window", "24", "--model", "sub_pca", "--as", "pump")
    for words in (fit, ("score", tmp_path / "pump.csv", "--with", "pump", "--explain", "2000")):
        done = anomalo(*words, *of)
        assert done.code == 0, done.err
    peaks = pd.read_parquet(tmp_path / "ws" / "runs" / "0001-score" / "intervals.parquet")
    (strongest,) = peaks.nlargest(1, "score")["peak_row"]
    assert ODD - 24 <= strongest <= ODD + 28
    address = serve(tmp_path / "ws")
    page.goto(f"{address}/alerts")
    page.get_by_text("860 points of 860").wait_for()
    peak = peaks.set_index("peak_row").loc[strongest]
    interval = page.locator(f"[data-testid=stVegaLiteChart] path[aria-label*='{peak['start']} to {peak['end']}']")
    interval.wait_for()
    interval.click()
    page.wait_for_url(re.compile(f"at={strongest}"))
    page.get_by_role("heading", name=f"Row {strongest}").wait_for()
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_url(re.compile("view="))
    page.locator(".st-key-open_row button").click()
    page.get_by_role("heading", name="Around this point").wait_for()
    page.get_by_text("120 points of 860").wait_for()
    page.get_by_role("button", name="Whole").click()
    page.get_by_text("860 points of 860").wait_for()
