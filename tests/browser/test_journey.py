"""What an analyst does, in a real browser: upload, fit, alerts, row, repair, export."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomalo.workspace.workspace import Workspace
from anomalo_dashboard import formatting
from tests.browser.waiting import until_drawn

playwright = pytest.importorskip("playwright.sync_api")


def choose(page: Any, label: str, option: str) -> None:
    """Choose an option by its beginning; once more if the list closed meanwhile, as it does when the page scrolls."""
    box = page.get_by_role("combobox", name=label)
    for _ in range(5):
        box.click()
        box.fill(option)
        with suppress(playwright.TimeoutError):
            page.get_by_role("option", name=re.compile(re.escape(option))).wait_for(timeout=3000)
            box.press("Enter")
            until_drawn(page)
            break
    assert box.input_value().startswith(option)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_upload_fit_alerts_row_repair_export(
    page: Any, serve: Callable[[Path], str], tables: Path, patients: pd.DataFrame, tmp_path: Path
) -> None:
    workspace = tmp_path / "workspace"
    address = serve(workspace)

    page.goto(address)
    page.locator("input[type=file]").set_input_files(tables / "patients.csv")
    page.get_by_role("button", name="Fit and score").wait_for()
    until_drawn(page)
    page.get_by_text("The same on the command line").click()
    command = page.get_by_test_id("stCode")
    page.get_by_text("Advanced").click()
    choose(page, "Model", "linear (")
    playwright.expect(command).to_contain_text("--model linear")
    epochs = page.get_by_role("spinbutton", name="Epochs")
    epochs.fill("3")
    epochs.press("Enter")
    playwright.expect(command).to_contain_text("--set epochs=3")
    page.get_by_role("textbox", name="Save as").fill("mine")
    page.get_by_role("textbox", name="Save as").press("Enter")
    playwright.expect(command).to_contain_text("--as mine")
    until_drawn(page)
    page.get_by_role("button", name="Fit and score").click()

    page.get_by_text("Step 1 of 3: Fitting the model").wait_for()
    page.reload()  # the job continues, and the page finds it again
    page.get_by_text(re.compile("Done in")).wait_for()

    page.get_by_role("button", name="See the alerts").click()
    page.get_by_role("heading", name="Alerts").wait_for()
    score, fill = Workspace(workspace).runs()
    assert (score.verb, fill.verb, score.model) == ("score", "impute", "mine@1")
    assert Workspace(workspace).model("mine").summary["parameters"]["epochs"] == 3
    written = pq.read_table(score.path / "scores.parquet").to_pandas()
    page.get_by_text(f"{written['alert'].sum()} row", exact=False).first.wait_for()
    page.get_by_role("radio", name="all rows").click()
    page.get_by_text("240 rows").wait_for()
    page.get_by_role("button", name="Page 2").click()  # at once: a click counts while the page is being drawn
    page.get_by_text("showing 51 to 100").wait_for()
    page.reload()
    page.get_by_text("showing 51 to 100").wait_for()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save these rows").click()
    kept = pd.read_csv(saved.value.path())
    order = written.sort_values(["p_value", "score"], ascending=[True, False], kind="stable")["row"]
    assert kept["row"].tolist() == order.tolist()

    reasons = formatting.reasons(pa.array([list(written["reasons"][50])]))[0].as_py()
    page.goto(f"{address}/alerts?{urlencode({'run': score.id, 'text': reasons, 'show': 'all rows'})}")
    page.get_by_text("showing 1 to").wait_for()
    until_drawn(page)
    page.get_by_role("heading", name=re.compile("Row 50")).wait_for()
    page.get_by_role("button", name="Open Shortcut").click()
    page.get_by_role("heading", name="Row", exact=True).wait_for()
    page.get_by_role("heading", name=re.compile("Row 50 is ")).wait_for()
    assert page.url == f"{address}/row?run={score.id}&row=50"

    page.get_by_role("button", name="Imputed cells of this row").click()
    page.get_by_role("heading", name="Repairs").wait_for()
    page.get_by_text("2 imputed cells").wait_for()
    assert page.url == f"{address}/repairs?run={fill.id}&fill_row=50"
    assert (fill.path / "filled.csv").read_bytes() == download(page, "Imputed table as CSV")
    filled = tmp_path / "filled.parquet"
    filled.write_bytes(download(page, "Imputed table as Parquet"))
    frame = pd.read_parquet(filled)
    assert (frame[["weight", "colour"]] != "").all(axis=None)
    known = patients["weight"].notna()
    assert frame["weight"][known].astype(float).tolist() == patients["weight"][known].tolist()


def download(page: Any, name: str) -> bytes:
    with page.expect_download() as saved:
        page.get_by_role("button", name=name).click()
    return Path(saved.value.path()).read_bytes()
