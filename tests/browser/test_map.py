"""A click on a row of the embedding map leads to its page, and a rectangle to the rows in it."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.waiting import until_drawn

playwright = pytest.importorskip("playwright.sync_api")


def centre(page: Any, point: Any) -> tuple[float, float]:
    """Return where a point of the map is, once the chart before it is gone."""
    until_drawn(page)
    playwright.expect(point).to_have_count(1)
    at = point.bounding_box()
    return at["x"] + at["width"] / 2, at["y"] + at["height"] / 2


@pytest.mark.slow
def test_a_click_leads_to_the_row(
    page: Any, serve: Callable[[Path], str], anomalo: Any, untouched: Path, tables: Path, tmp_path: Path
) -> None:
    workspace = shutil.copytree(untouched, tmp_path / "workspace")
    for verb in ("score", "embed"):
        outcome = anomalo(verb, tables / "patients.csv", "--with", "full", "--workspace", workspace, "--device", "cpu")
        assert outcome.code == 0, outcome.err
    address = serve(workspace)
    page.goto(f"{address}/embedding_map")
    point = page.locator("[data-testid=stVegaLiteChart] path[aria-label*='row: 17;']")
    point.hover()
    page.get_by_text("190.25").wait_for()
    point.click()
    page.get_by_text(re.compile(r"Row 17.* is an alert, rank 1 of 240: weight is 190.25")).wait_for()
    page.get_by_role("button", name="Open row 17").click()
    page.get_by_role("heading", name=re.compile("Row 17 .*is an alert")).wait_for()
    assert page.url == f"{address}/row?run=0001-score&row=17"
    page.get_by_role("link", name="Embedding map").click()
    page.get_by_role("heading", name="Embedding map").wait_for()
    point.wait_for()

    page.get_by_text("choose rows", exact=True).click()
    page.get_by_text("drag to choose the rows in a rectangle").wait_for()
    middle = centre(page, point)
    page.mouse.move(middle[0] - 30, middle[1] - 5)
    page.mouse.down()
    page.mouse.move(*middle)
    page.mouse.move(middle[0] + 8, middle[1] + 30)
    page.mouse.up()
    page.get_by_role("button", name="List 1 alert").click()
    page.get_by_role("heading", name="Alerts").wait_for()
    page.get_by_text("Only 1 row chosen on the map").wait_for()
    assert "rows=17" in page.url

    page.goto(f"{address}/embedding_map?drag=lasso")
    page.get_by_text("drag around rows to choose them").wait_for()
    middle = centre(page, point)
    page.mouse.move(middle[0] - 14, middle[1] - 12)
    page.mouse.down()
    for x, y in ((14, -12), (14, 12), (-14, 12), (-14, -10)):
        page.mouse.move(middle[0] + x, middle[1] + y, steps=5)
    page.mouse.up()
    page.get_by_text("1 alert among them").wait_for()
    page.screenshot(path=tmp_path / "lasso.png")
    page.get_by_role("button", name="List 1 alert").click()
    page.get_by_text("Only 1 row chosen on the map").wait_for()
    assert "rows=17" in page.url
