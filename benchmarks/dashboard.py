"""CPU seconds and memory that the dashboard takes for a large run, ten browsers at once, and a first review.

The run is written into a separate workspace, without a model: scores, reasons of the most anomalous rows, their cells.
On the server, the page is run by Streamlit's own AppTest, from an interaction to the last element. In the browser, a
headless Chromium opens the run, pages through it and filters it; what is measured is the server's process: its CPU
seconds for each interaction, and its memory. Then several browsers do so at once. At last a file is uploaded, learned
and scored, and its first alert reviewed, by the clock. The browsers are skipped with `--no-browser`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
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
    """Return the median of the CPU seconds of this process."""
    seconds = []
    for number in range(repeat):
        started = time.process_time()
        action(number)
        seconds.append(time.process_time() - started)
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


@dataclass(frozen=True)
class Server:
    """A dashboard in a process of its own."""

    process: subprocess.Popen[str]
    address: str
    token: str

    @property
    def cookie(self) -> dict[str, str]:
        """What lets a browser in."""
        return {"name": f"anomalo-{self.address.rpartition(':')[2]}", "value": self.token, "url": self.address}

    def cpu(self, *, of_jobs: bool = False) -> float:
        """Return the CPU seconds that the process has taken, or those of its jobs that have ended."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        user, system = fields[13:15] if of_jobs else fields[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def memory(self, what: str = "VmRSS") -> float:
        """Return the memory of the process in megabytes; `VmHWM` is the most that it has had."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split(f"{what}:")[1].split()[0]) * 1024 / 1e6


@contextmanager
def served(workspace: Path) -> Iterator[Server]:
    """Run `anomalo dashboard`."""
    command = [sys.executable, "-m", "anomalo", "dashboard", "--workspace", str(workspace), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address, token = process.stdout.readline().split()[4].split("/?token=")
        yield Server(process, address, token)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@contextmanager
def chromium() -> Iterator[Any]:
    """Start a browser."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        browser.close()


def page_of(browser: Any, server: Server) -> Any:
    """Return a page of a further user, whose cookies are its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, reduced_motion="reduce")
    context.add_cookies([server.cookie])
    page = context.new_page()
    page.set_default_timeout(300_000)
    return page


def wait_until_drawn(page: Any) -> None:
    page.wait_for_function("!document.querySelector('[data-testid=stApp][data-test-script-state=running]')")
    page.wait_for_timeout(300)


def wait_until_idle(server: Server) -> None:
    """Wait until a server that was just started has loaded what it loads ahead."""
    before = -1.0
    while before != (before := server.cpu()):
        time.sleep(3)


def open_overview(page: Any, server: Server) -> None:
    page.goto(f"{server.address}/overview")
    page.get_by_role("heading", name="Overview").wait_for()


def open_alerts(page: Any, server: Server) -> None:
    page.goto(f"{server.address}/alerts?show=all+rows")
    page.get_by_text("showing 1 to 50").wait_for()


def next_page(page: Any) -> None:
    page.get_by_role("button", name="Next page").evaluate("button => button.click()")  # wherever it is scrolled to


def turn_page(page: Any, number: int) -> None:
    next_page(page)
    page.get_by_text(f"showing {50 * (number + 1) + 1:,} to").wait_for()


def search(page: Any, number: int) -> None:
    text = f"customer-{number % 10:02}5"
    page.get_by_role("searchbox", name="Search").fill(text)
    page.get_by_test_id("stDataFrame").locator("[role=gridcell]").filter(has_text=text).first.wait_for(state="attached")


def move_threshold(page: Any, number: int) -> None:
    box = page.get_by_role("spinbutton", name="Alert if")
    box.fill(str(2 + number))
    box.press("Enter")
    wait_until_drawn(page)


def in_the_browser(workspace: Path, repeat: int, browsers: int) -> dict[str, float]:
    """Return the server's CPU seconds for each interaction, medians but for the first two, and its memory.

    First a server that was just started shows its first page; then the run is opened.
    """
    with served(workspace) as server, chromium() as browser:
        page = page_of(browser, server)

        def spent(action: Callable[[Any, int], object], times: int) -> float:
            seconds = []
            for number in range(times):
                before = server.cpu()
                action(page, number)
                wait_until_drawn(page)
                seconds.append(server.cpu() - before)
            return statistics.median(seconds)

        wait_until_idle(server)
        found = {
            "first page of the server": spent(lambda page, _: open_overview(page, server), 1),
            "open": spent(lambda page, _: open_alerts(page, server), 1),
            "page": spent(turn_page, repeat),
        }
        found["search all rows"] = spent(search, repeat)
        found["threshold"] = spent(move_threshold, repeat)
        found["memory after paging, MB"] = server.memory()
        found |= several(browser, server, browsers)
        found["memory at most, MB"] = server.memory("VmHWM")
        return found


def several(browser: Any, server: Server, browsers: int) -> dict[str, float]:
    """Let several users page through the run at once, each in a browser session of its own; an error ends it."""
    before, pages = server.cpu(), [page_of(browser, server) for _ in range(browsers)]
    for page in pages:  # all ask before anybody has an answer
        page.goto(f"{server.address}/alerts?show=all+rows", wait_until="commit")
    for number in range(3):
        for page in pages:
            page.get_by_text(f"showing {50 * number + 1:,} to").wait_for()
        for page in pages:
            next_page(page)
    for page in pages:
        page.get_by_text("showing 151 to").wait_for()
        assert page.get_by_test_id("stException").count() == 0
        assert page.get_by_test_id("stAlertContentError").count() == 0
        page.context.close()
    return {f"{browsers} browsers, open and three pages each": server.cpu() - before}


def first_review(rows: int) -> dict[str, float]:
    """Return the seconds by the clock from opening the page to the first reviewed alert of a table with numbers."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "w") as server, chromium() as browser:
        table = Path(folder) / "customers.csv"
        write_table(table, rows)
        page, started = page_of(browser, server), time.perf_counter()
        page.goto(server.address)
        page.locator("input[type=file]").set_input_files(table)
        page.get_by_text("Fast", exact=True).click()
        wait_until_drawn(page)
        page.get_by_role("button", name="Fit and score").click()
        page.get_by_role("button", name="See the alerts").or_(page.get_by_text("showing 1 to")).first.wait_for()
        scored = time.perf_counter() - started
        if page.get_by_role("button", name="See the alerts").count():
            page.get_by_role("button", name="See the alerts").click()
        page.get_by_text("showing 1 to").wait_for()
        page.get_by_role("button", name="False alarm").click()
        while not any(Workspace(Path(folder) / "w").reviews.counts().values()):
            page.wait_for_timeout(100)
        return {
            "opened, uploaded, learned, scored": scored,
            "first alert reviewed": time.perf_counter() - started,
            "CPU of the server": server.cpu(),
            "CPU of its jobs": server.cpu(of_jobs=True),
        }


def write_table(path: Path, rows: int) -> None:
    """Write a table with 12 columns, numbers and categories that depend on each other, and a few wrong cells."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 6, rows)
    columns: dict[str, Any] = {f"x{at}": (group * at + rng.normal(0, 1 + at / 4, rows)).round(3) for at in range(8)}
    columns |= {f"level{at}": np.array(list("abcdef"))[(group + at) % 6] for at in range(3)}
    columns["x1"][rng.choice(rows, rows // 200, replace=False)] *= 25
    pd.DataFrame({"customer": [f"c{row:05}" for row in range(rows)]} | columns).to_csv(path, index=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--browsers", type=int, default=10)
    parser.add_argument("--first", type=int, default=10_000, help="rows of the table of the first review")
    parser.add_argument("--no-browser", action="store_true")
    chosen = parser.parse_args()

    def say(where: str, found: dict[str, float], unit: str) -> None:
        for what, value in found.items():
            print(f"{where}, {what}: {value:.2f}" + ("" if "MB" in what else f" {unit}"), flush=True)

    with tempfile.TemporaryDirectory() as folder:
        large_run(Path(folder), chosen.rows)
        rows = f"{chosen.rows:,} rows"
        say(f"{rows}, server", on_the_server(Path(folder), chosen.repeat), "CPU s")
        if not chosen.no_browser:
            found = in_the_browser(Path(folder), chosen.repeat, chosen.browsers)
            say(f"{rows}, browser", found, "CPU s")
    if not chosen.no_browser:
        say(f"first review, {chosen.first:,} rows", first_review(chosen.first), "s")


if __name__ == "__main__":
    main()
