"""A run of 200,000 rows: paging, search and another threshold give the right rows, on the server and in a browser."""

import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "dashboard.py"
ROWS = 200_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """A workspace with the benchmark's run, and its rows, most anomalous first."""
    spec = importlib.util.spec_from_file_location("benchmark_of_the_dashboard", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = benchmark  # its dataclasses look for their module there
    spec.loader.exec_module(benchmark)
    workspace = tmp_path_factory.mktemp("large")
    run = benchmark.large_run(workspace, ROWS)
    table = pq.read_table(run.path / "scores.parquet", columns=["row", "name", "score", "p_value", "alert"]).to_pandas()
    return workspace, table.iloc[np.lexsort((-table["score"], table["p_value"]))]


@pytest.mark.slow
def test_a_large_run_is_paged_and_filtered_in_the_browser(
    page: Any, serve: Callable[[Path], str], large: tuple[Path, pd.DataFrame]
) -> None:
    workspace, table = large
    address = serve(workspace)
    page.goto(f"{address}/alerts?show=all+rows&page=4000")
    page.get_by_text("showing 199,951 to 200,000").wait_for()
    cell = page.get_by_test_id("stDataFrame").locator("[role=gridcell]")
    cell.filter(has_text=table["name"].iloc[-50]).first.wait_for(state="attached")

    page.get_by_role("searchbox", name="Search").fill("customer-00012")
    page.get_by_text("10 rows").wait_for()
    page.get_by_text("showing 1 to 10").wait_for()
    expected = table["name"][table["name"].str.contains("customer-00012")].tolist()
    for name in expected:
        cell.filter(has_text=name).first.wait_for(state="attached")

    page.get_by_role("searchbox", name="Search").fill("")
    page.get_by_text("200,000 rows").wait_for()
    page.get_by_role("radio", name="alerts").click()
    box = page.get_by_role("spinbutton", name="Alert if")
    box.fill("2")
    box.press("Enter")
    page.get_by_text(f"{(table['p_value'] <= 0.02).sum():,} rows").wait_for()
    assert re.search(r"percent=2(\.0)?(&|$)", page.url)
