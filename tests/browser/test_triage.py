"""Alerts are marked together in a real browser, which is undone, and one by one on the page of a row."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anomalo.workspace.workspace import Workspace

playwright = pytest.importorskip("playwright.sync_api")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_alerts_are_marked_together_and_undone(
    page: Any, serve: Callable[[Path], str], untouched: Path, tables: Path, anomalo: Any, tmp_path: Path
) -> None:
    workspace = shutil.copytree(untouched, tmp_path / "w")
    common = ("--with", "full", "--device", "cpu", "--workspace", workspace)
    assert anomalo("score", tables / "patients.csv", "--threshold", "budget=5", *common).code == 0
    run = next(run.id for run in reversed(Workspace(workspace).runs()) if run.verb == "score")
    page.goto(serve(workspace))
    page.get_by_role("link", name="Alerts").click()
    page.get_by_role("heading", name="Alerts").wait_for()
    mark = page.get_by_role("button", name="False alarm")
    playwright.expect(mark).to_be_disabled()
    mark.scroll_into_view_if_needed()
    for row in (0, 2):
        box = page.get_by_test_id("stDataFrame").first.bounding_box()
        page.mouse.click(box["x"] + 16, box["y"] + 35 * (row + 1) + 17)
        playwright.expect(page.get_by_text("Choose rows by their boxes")).to_have_count(0)
    page.get_by_text("Mark 2 chosen rows as").wait_for()
    mark.click()
    page.get_by_text("2 rows marked as false alarm.").wait_for()
    page.screenshot(path=tmp_path / "alerts.png")
    reviews = Workspace(workspace).reviews
    assert [review.state for review in reviews.of(run).values()] == ["false alarm"] * 2
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("2 rows marked as false alarm.").wait_for(state="detached")
    assert reviews.of(run) == {}
    assert len(reviews.changes(run)) == 2
    page.get_by_role("link", name="Row").click()
    page.get_by_role("heading", name="Row 17").wait_for()
    page.keyboard.press("e")
    page.get_by_text("History: 2 changes").wait_for()
    page.keyboard.press("j")
    page.get_by_role("heading", name="Row 101").wait_for()
    page.keyboard.press("f")
    page.get_by_text("History: 1 change").wait_for()
    page.screenshot(path=tmp_path / "row.png")
    assert {row: review.state for row, review in reviews.of(run).items()} == {17: "expected", 101: "false alarm"}
