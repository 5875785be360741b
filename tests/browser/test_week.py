"""Two days of an analyst: learn a file, triage its alerts by keyboard, teach the model, score the next file."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anomalo.workspace.workspace import Workspace
from anomalo_dashboard import data
from tests.browser.test_journey import choose
from tests.browser.test_triage import first_key, in_view
from tests.browser.waiting import until_drawn

playwright = pytest.importorskip("playwright.sync_api")

SERVICED = 24
"""Readings of a day that are low since the device is serviced, which is expected."""


def day(seed: int, rows: int = 2000) -> pd.DataFrame:
    """Readings of ten devices; one of them is serviced, and a few readings are wrong."""
    rng = np.random.default_rng(seed)
    flow = rng.normal(100, 5, rows)
    frame = pd.DataFrame(
        {
            "device": rng.choice([f"dev{number:02}" for number in range(10)], rows),
            "flow": flow.round(1),
            "pressure": (0.5 * flow + rng.normal(0, 1, rows)).round(2),
        }
    )
    frame.loc[rng.choice(rows, SERVICED, replace=False), ["device", "flow"]] = ["dev07", 30.0]
    frame.loc[rng.choice(rows, 6, replace=False), "pressure"] = 95.0
    return frame


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_what_twenty_reviews_teach_removes_alerts_of_the_next_day(
    page: Any, serve: Callable[[Path], str], tmp_path: Path
) -> None:
    monday, tuesday = tmp_path / "monday.csv", tmp_path / "tuesday.csv"
    day(1).to_csv(monday, index=False)
    day(2).to_csv(tuesday, index=False)
    home = tmp_path / "workspace"
    address = serve(home)
    page.set_viewport_size({"width": 1280, "height": 720})

    page.goto(address)
    page.locator("input[type=file]").set_input_files(monday)
    page.get_by_role("button", name="Fit and score").wait_for()
    until_drawn(page)
    page.get_by_text("Advanced").click()
    choose(page, "Model", "covariance (")
    page.get_by_role("button", name="Fit and score").click()
    page.get_by_role("button", name="See the alerts").click()

    run = next(run for run in Workspace(home).runs() if run.verb == "score")
    assert run.summary["alerts"] >= 20
    order = [int(row) for row in data.scores(run).order[:21]]
    low = day(1)["flow"] == 30
    in_view(page, order[0])
    first_key(page, order[1])
    in_view(page, order[1])
    page.keyboard.press("k")
    in_view(page, order[0])
    for at, row in enumerate(order[:20]):
        page.keyboard.press("e" if low[row] else "a")
        if at < min(19, run.summary["alerts"] - 1):
            in_view(page, order[at + 1])
    reviews = Workspace(home).reviews
    while len(reviews.of(run.id)) < 20:
        page.wait_for_timeout(200)
    states = {row: review.state for row, review in reviews.of(run.id).items()}
    assert states == {row: "expected" if low[row] else "acknowledged" for row in order[:20]}

    page.get_by_role("link", name="Feedback").click()
    page.get_by_text(re.compile("of which you confirmed 0|of which 0 were confirmed")).first.wait_for()
    page.get_by_role("button", name="Save as the next version").click()
    page.get_by_text("monday@2 knows this").wait_for()

    page.goto(f"{address}/?door=Score+with+a+saved+model&with=monday%402")
    page.locator("input[type=file]").set_input_files(tuesday)
    page.get_by_text("it has all 3 columns that the model reads").wait_for()
    until_drawn(page)
    page.get_by_role("button", name="Score", exact=True).click()
    page.wait_for_url(re.compile("/alerts[?]run="))
    taught = Workspace(home).runs()[-1]
    assert taught.model == "monday@2"

    page.goto(f"{address}/?door=Score+with+a+saved+model&with=monday%401")
    page.locator("input[type=file]").set_input_files(tuesday)
    page.get_by_text("it has all 3 columns that the model reads").wait_for()
    until_drawn(page)
    page.get_by_role("button", name="Score", exact=True).click()
    page.wait_for_url(re.compile(f"/alerts[?]run=(?!{taught.id})"))
    before = Workspace(home).runs()[-1]
    assert before.model == "monday@1"
    assert taught.summary["alerts"] < before.summary["alerts"]
    wrong = np.flatnonzero(day(2)["pressure"] == 95)
    assert data.scores(taught).alert[wrong].tolist() == data.scores(before).alert[wrong].tolist()
    assert data.scores(taught).alert[wrong].any()
