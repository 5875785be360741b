"""Alerts are triaged in a real browser: by keyboard, by clicks, together, and one by one on the page of a row."""

import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from anomalo.workspace.workspace import Workspace
from anomalo_dashboard import data
from tests.browser.waiting import until_drawn

playwright = pytest.importorskip("playwright.sync_api")
BOX, CELL = 16, 200
"""Where the boxes and the cells of a list are, from its left edge."""


@pytest.fixture
def home(untouched: Path, tables: Path, anomalo: Any, tmp_path: Path) -> Path:
    """A workspace with a run of 20 alerts."""
    workspace = shutil.copytree(untouched, tmp_path / "w")
    common = ("--with", "full", "--device", "cpu", "--workspace", workspace)
    assert anomalo("score", tables / "patients.csv", "--threshold", "budget=20", *common).code == 0
    return workspace


@pytest.fixture
def run(home: Path) -> Any:
    return next(run for run in reversed(Workspace(home).runs()) if run.verb == "score")


def in_view(page: Any, row: int) -> None:
    """Wait until a row is shown beside the list, and the page is drawn."""
    page.get_by_role("heading", name=re.compile(rf"Row {row}( |$)")).wait_for()
    until_drawn(page)


def first_key(page: Any, following: int) -> None:
    """Go to the next row by `j`: a page that was just drawn may not listen to keys yet."""
    heading = page.get_by_role("heading", name=re.compile(rf"Row {following}( |$)"))
    while not heading.count():
        page.keyboard.press("j")
        with suppress(playwright.TimeoutError):
            heading.wait_for(timeout=10_000)


def click(page: Any, row: int, x: int) -> None:
    """Click in a row of the list, counted from 0."""
    grid = page.get_by_test_id("stDataFrame").first
    grid.locator("[role=gridcell]").first.wait_for(state="attached")
    box = grid.bounding_box()
    page.mouse.click(box["x"] + x, box["y"] + 35 * (row + 1) + 17)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_alerts_are_triaged_by_keyboard(
    page: Any, serve: Callable[[Path], str], home: Path, run: Any, tmp_path: Path
) -> None:
    order = [int(row) for row in data.scores(run).order[:20]]
    reviews = Workspace(home).reviews
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{serve(home)}/alerts")
    in_view(page, order[0])
    first_key(page, order[1])
    in_view(page, order[1])
    page.keyboard.press("k")
    in_view(page, order[0])
    states = {"a": "acknowledged", "e": "expected", "f": "false alarm", "x": "fixed"}
    for at in range(8):
        page.keyboard.press("aefx"[at % 4])
        in_view(page, order[at + 1])
    page.screenshot(path=tmp_path / "keyboard.png")
    expected = {order[at]: states["aefx"[at % 4]] for at in range(8)}
    assert {row: review.state for row, review in reviews.of(run.id).items()} == expected
    page.keyboard.press("u")
    page.get_by_text("1 row marked as fixed.").wait_for(state="detached")
    assert set(reviews.of(run.id)) == set(order[:7])

    click(page, 3, CELL)  # anywhere on a row
    in_view(page, order[3])
    page.keyboard.press("j")
    in_view(page, order[4])
    click(page, 3, CELL)  # the same cell again
    in_view(page, order[3])
    page.keyboard.press("Enter")  # also while the list has the focus
    page.get_by_role("heading", name="Row", exact=True).wait_for()
    page.get_by_role("heading", name=re.compile(f"Row {order[3]} ")).wait_for()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_alerts_are_marked_together_and_undone(
    page: Any, serve: Callable[[Path], str], home: Path, run: Any, tmp_path: Path
) -> None:
    order = [int(row) for row in data.scores(run).order[:20]]
    page.goto(serve(home))
    page.get_by_role("link", name="Alerts").click()
    in_view(page, order[0])
    for number, row in enumerate((0, 2), 1):
        click(page, row, BOX)
        page.get_by_text(f"Mark {number} chosen row").wait_for()
    page.get_by_role("button", name="False alarm").click()
    page.get_by_text("2 rows marked as false alarm.").wait_for()
    page.screenshot(path=tmp_path / "alerts.png")
    reviews = Workspace(home).reviews
    assert [review.state for review in reviews.of(run.id).values()] == ["false alarm"] * 2
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("2 rows marked as false alarm.").wait_for(state="detached")
    assert reviews.of(run.id) == {}
    assert len(reviews.changes(run.id)) == 2


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_row_is_marked_on_its_page(page: Any, serve: Callable[[Path], str], home: Path, run: Any) -> None:
    first, second = (int(row) for row in data.scores(run).order[:2])
    page.goto(f"{serve(home)}/row?run={run.id}")
    page.get_by_role("heading", name=f"Row {first} ").wait_for()
    first_key(page, second)
    page.keyboard.press("f")
    page.get_by_text("History: 1 change").wait_for()
    page.keyboard.press("k")
    page.get_by_role("heading", name=f"Row {first} ").wait_for()
    page.keyboard.press("e")
    while len(found := Workspace(home).reviews.of(run.id)) < 2:  # the other row has a change in its history, too
        page.wait_for_timeout(100)
    assert {row: review.state for row, review in found.items()} == {first: "expected", second: "false alarm"}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_threshold_is_moved_in_the_histogram(
    page: Any, serve: Callable[[Path], str], home: Path, run: Any, tmp_path: Path
) -> None:
    page.goto(f"{serve(home)}/alerts")
    page.get_by_text("20 rows").wait_for()
    page.get_by_text("Move the threshold").click()
    chart = page.get_by_test_id("stVegaLiteChart")
    chart.locator("canvas, svg").first.wait_for()
    until_drawn(page)
    box = chart.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.45 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.45 * box["height"], steps=10)
    chart.get_by_text(re.compile(r"about [\d,]+ rows? from ")).wait_for()  # before it is let go
    page.mouse.up()
    page.wait_for_url(re.compile("percent="))
    percent = float(re.findall(r"percent=([\d.]+)", page.url)[0])
    alerts = int((data.scores(run).p_value <= percent / 100).sum())
    page.get_by_text(f"{alerts} row").first.wait_for()
    page.screenshot(path=tmp_path / "threshold.png")
    page.get_by_role("link", name="Row").click()
    share = page.get_by_role("spinbutton", name="Alert if")
    playwright.expect(share).to_have_value(re.compile(r"\d"))  # it is empty for a moment
    assert float(share.input_value()) == percent
