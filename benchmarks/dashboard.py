"""Seconds that the dashboard takes to page and filter a run of 200,000 rows, on the server and in a browser.

The run is written into a separate workspace, without a model: scores, reasons of the most anomalous rows, their cells.
On the server, the page is run by Streamlit's own AppTest, from an interaction to the last element. In the browser,
a headless Chromium measures from an interaction to the new rows (or the new count) on the screen; it is skipped
where Playwright or Chromium is absent.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from anomalo.workspace.workspace import RunRecord, Workspace

COLUMNS = ("amount", "age", "country", "device", "hour", "balance")
EXPLAINED = 4000


def large_run(workspace: Path, rows: int = 200_000, seed: int = 0) -> RunRecord:
    """Write a score run as `anomalo score --id name` would; 1 % of the rows are alerts."""
    rng = np.random.default_rng(seed)
    score = rng.lognormal(1.0, 0.8, rows)
    order = np.argsort(-score, kind="stable")
    p_value = np.empty(rows)
    p_value[order] = np.arange(1, rows + 1) / (rows + 1)
    alert = p_value <= 0.01
    explained = np.sort(order[:EXPLAINED])
    reasons: list[list[dict[str, Any]]] = [[] for _ in range(rows)]
    for row in explained:
        names = rng.permutation(len(COLUMNS))[:5]
        reasons[row] = [
            {
                "column": COLUMNS[name],
                "contribution": float(score[row] / (rank + 2)),
                "observed": str(int(rng.integers(1000))),
                "expected": str(int(rng.integers(1000))),
            }
            for rank, name in enumerate(names)
        ]
    scores = pa.table(
        {
            "row": np.arange(rows),
            "name": [f"customer-{row:06}" for row in range(rows)],
            "score": score,
            "p_value": p_value,
            "alert": alert,
            "reasons": pa.array(reasons),
        }
    )
    cells = pa.Table.from_pylist(
        [{"row": int(row), **reason, "low": 0.0, "high": 1000.0} for row in explained for reason in reasons[row]]
    )
    raw = pa.table({"row": explained} | {name: [str(row) for row in explained] for name in COLUMNS})

    def write(folder: Path) -> None:
        pq.write_table(scores, folder / "scores.parquet")
        pq.write_table(cells, folder / "cells.parquet")
        pq.write_table(raw, folder / "rows.parquet")

    summary = {"rows": rows, "alerts": int(alert.sum()), "threshold": "share=0.01", "explained": EXPLAINED}
    return Workspace(workspace).add_run(
        "score", write, model=None, source="customers.csv", seconds=1.0, summary=summary
    )


def median(action: Callable[[int], object], repeat: int) -> float:
    seconds = []
    for number in range(repeat):
        started = time.perf_counter()
        action(number)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def on_the_server(workspace: Path, repeat: int) -> dict[str, float]:
    """Return medians of AppTest runs; the first opening, which reads the run, is given by itself."""
    from streamlit.testing.v1 import AppTest

    import anomalo_dashboard

    os.environ["ANOMALO_WORKSPACE"] = str(workspace)
    app = Path(anomalo_dashboard.__file__).with_name("app.py")
    page = AppTest.from_file(app, default_timeout=60).run()
    opening = median(lambda _: page.switch_page("views/alerts.py").run(), 1)

    def require_no_error(_: int) -> None:
        assert not page.exception

    found = {
        "open": opening,
        "page": median(lambda number: page.pagination(key="page").set_value(2 + number).run(), repeat),
        "search": median(lambda number: page.text_input(key="text").set_value(f"age is {number}").run(), repeat),
    }
    page.text_input(key="text").set_value("").run()
    page.button_group(key="show").set_value("all rows").run()
    found["search all rows"] = median(
        lambda number: page.text_input(key="text").set_value(f"customer-{number:03}").run(), repeat
    )
    page.text_input(key="text").set_value("").run()
    found["column"] = median(
        lambda number: page.selectbox(key="column").set_value(COLUMNS[number % len(COLUMNS)]).run(), repeat
    )
    page.selectbox(key="column").set_value(None).run()
    found["threshold"] = median(lambda number: page.number_input(key="percent").set_value(0.5 + number).run(), repeat)
    found["next row"] = median(lambda _: page.button(key="inbox J").click().run(), repeat)
    require_no_error(0)
    return found


@contextmanager
def served(workspace: Path) -> Iterator[str]:
    """Run `anomalo dashboard` as a process; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "anomalo", "dashboard", "--workspace", str(workspace), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def in_the_browser(workspace: Path, repeat: int) -> dict[str, float]:
    """Return medians from an interaction to what it changes on the screen."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with served(workspace) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(60_000)

        def opened(_: int) -> None:
            for _ in range(100):  # until the server listens
                try:
                    page.goto(f"{address}/alerts")
                    break
                except Exception:
                    time.sleep(0.1)
            page.get_by_text("showing 1 to 50").wait_for()

        def turned(number: int) -> None:
            page.get_by_role("button", name="next").click()
            page.get_by_text(f"showing {50 * (number + 1) + 1:,} to").wait_for()

        def searched(number: int) -> None:
            page.get_by_role("searchbox", name="Search").fill(f"customer-{number % 10:02}5")
            cells = page.get_by_test_id("stDataFrame").locator("[role=gridcell]")
            cells.filter(has_text=f"customer-{number % 10:02}5").first.wait_for(state="attached")

        def moved(number: int) -> None:
            before = page.get_by_text(", showing").inner_text()
            box = page.get_by_role("spinbutton", name="Alert if")
            box.fill(str(2 + number))
            box.press("Enter")
            page.wait_for_function("before => !document.body.innerText.includes(before)", arg=before)

        found = {"open": median(opened, 1), "page": median(turned, repeat), "threshold": median(moved, min(repeat, 8))}
        page.goto(f"{address}/alerts?show=all+rows")
        page.get_by_text("showing 1 to 50").wait_for()
        found["search all rows"] = median(searched, repeat)
        browser.close()
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--no-browser", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        large_run(Path(folder), chosen.rows)
        for where, measure in (("server", on_the_server), ("browser", in_the_browser)):
            if where == "browser" and chosen.no_browser:
                continue
            for what, seconds in measure(Path(folder), chosen.repeat).items():
                print(f"{chosen.rows:,} rows, {where}, {what}: {seconds:.2f} s")


if __name__ == "__main__":
    main()
