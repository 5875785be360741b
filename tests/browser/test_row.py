"""A row without reasons is explained in a real browser, and then shown with the strips of its columns."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anomalo.workspace.workspace import Workspace
from anomalo_dashboard import data
from tests.browser.test_triage import first_key


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_row_is_explained_now_and_left_by_keyboard(
    page: Any, serve: Callable[[Path], str], untouched: Path, tables: Path, anomalo: Any, tmp_path: Path
) -> None:
    workspace = shutil.copytree(untouched, tmp_path / "w")
    common = ("--with", "full", "--device", "cpu", "--workspace", workspace)
    assert anomalo("score", tables / "patients.csv", "--explain", "0", *common).code == 0
    run = next(run for run in reversed(Workspace(workspace).runs()) if run.verb == "score")
    order = data.scores(run).order
    page.goto(f"{serve(workspace)}/row?run={run.id}&row={order[100]}")
    page.get_by_role("button", name="Explain now").click()
    page.get_by_role("heading", name="Cell by cell").wait_for()
    page.get_by_role("heading", name="The nearest normal rows").wait_for()
    strips = page.get_by_test_id("stDataFrame").first.locator("[role=gridcell][aria-colindex='3']")
    strips.first.wait_for(state="attached")
    assert strips.first.inner_text().startswith("data:image/svg+xml,")
    page.screenshot(path=tmp_path / "row.png")
    page.reload()
    page.get_by_role("heading", name="Cell by cell").wait_for()
    first_key(page, int(order[101]))
    page.get_by_role("heading", name=f"Row {order[101]} ").wait_for()
    page.keyboard.press("k")
    page.get_by_role("heading", name=f"Row {order[100]} ").wait_for()
