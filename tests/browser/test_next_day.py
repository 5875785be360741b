"""The next day, in a real browser: a file is scored with a saved model, by the second door of Start."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from anomalo.workspace.workspace import Workspace
from tests.browser.waiting import until_drawn


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_next_days_file_is_scored_with_the_saved_model_and_its_alerts_open(
    page: Any, serve: Callable[[Path], str], untouched: Path, patients: pd.DataFrame, tmp_path: Path
) -> None:
    workspace = shutil.copytree(untouched, tmp_path / "workspace")
    Workspace(workspace).tag("full@1", "champion")
    today = tmp_path / "today.csv"
    patients.assign(weight=patients["weight"].mask(patients.index == 3, 999.0)).to_csv(today, index=False)
    address = serve(workspace)

    page.goto(f"{address}/models?model=full%401")
    page.get_by_role("button", name="Score a file").click()
    page.get_by_role("heading", name="2. Table").wait_for()
    assert page.get_by_role("radio", name="Score with a saved model").is_checked()
    page.locator("input[type=file]").set_input_files(today)
    page.get_by_text("it has all 5 columns that the model reads").wait_for()
    until_drawn(page)
    page.get_by_role("button", name="Score", exact=True).click()

    page.get_by_role("heading", name="Alerts").wait_for()
    (run,) = Workspace(workspace).runs()
    page.wait_for_url(re.compile(f"/alerts[?]run={run.id}"))
    assert (run.verb, run.model, run.summary["rows"]) == ("score", "full@1", len(patients))

    page.goto(f"{address}/?{'door=Score+with+a+saved+model&with=full%40champion'}")
    page.locator("input[type=file]").set_input_files(today)
    page.get_by_text("it has all 5 columns that the model reads").wait_for()
    until_drawn(page)
    page.get_by_role("button", name="Score", exact=True).click()
    page.get_by_text(f"Nothing was computed: run {run.id}").wait_for()
    page.get_by_role("button", name=re.compile("See the alerts")).click()
    page.wait_for_url(re.compile(f"/alerts[?]run={run.id}"))

    page.get_by_role("link", name="Jobs").click()
    page.get_by_role("heading", name="Jobs", exact=True).wait_for()
    page.get_by_text("today.csv with full@").first.wait_for()
    assert [run.id for run in Workspace(workspace).runs()] == [run.id]
