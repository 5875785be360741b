"""Every page can be read and used without a mouse and with weak eyes: axe-core finds nothing of weight, light and dark.

`python -m pytest tests/browser/test_accessible.py` prints what it finds. What Streamlit draws itself, and no option
changes, stands in `NOT_OURS` with the reason; all else is changed on the page.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anomalo.workspace.workspace import Workspace
from anomalo_dashboard.plugin import PAGES
from tests.browser import test_images, test_series

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed")

ADDRESSES = {
    "start": ("",),
    "overview": ("overview",),
    "alerts": ("alerts", "alerts?show=all%20rows"),
    "row": ("row?row=0",),
    "embedding_map": ("embedding_map",),
    "repairs": ("repairs?run=0002-impute", "repairs?run=0003-repair"),
    "feedback": ("feedback",),
    "synthesize": ("synthesize",),
    "models": ("models",),
    "jobs": ("jobs",),
    "plugins": ("plugins",),
}
OTHERS = (
    *("alerts?run=0001-score", "row?run=0001-score&row=500", "models?model=pump@1"),
    *("alerts?run=0002-score", "row?run=0002-score&row=7", "repairs?run=0003-impute", "models?model=parts@1"),
    "synthesize?run=0004-augment",
)
"""Of runs of series and of images."""
IMPACTS = ("serious", "critical")
RULES = ("color-contrast", "document-title", "empty-heading", "empty-table-header", "heading-order")
"""Rules whose violations count however light axe-core takes them."""
NOT_OURS = {
    ("empty-table-header", '<th role="columnheader"'): "the column of boxes by which st.dataframe's rows are chosen",
    ("empty-table-header", 'aria-colindex="1"'): "the same",
}
CUT_OFF = """() => [...document.querySelectorAll(
    '[data-testid=stMetricValue], [data-testid=stMetricValue] *, [data-testid=stMetricDelta] *, h1, h2, h3')]
    .filter(seen => seen.scrollWidth > seen.clientWidth + 1 && getComputedStyle(seen).overflowX !== 'visible')
    .map(seen => seen.innerText)"""
"""Numbers and headings that do not fit where they stand."""


def drawn(page: Any) -> None:
    page.wait_for_function("document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'")
    page.locator("h1").first.wait_for()
    page.wait_for_timeout(2000)  # tables, charts and icons are loaded afterwards


def violations(page: Any) -> list[str]:
    """What axe-core finds, a line for each element."""
    found = axe.Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]} {' '.join(_messages(node))}"
        for rule in found
        if rule["impact"] in IMPACTS or rule["id"] in RULES
        for node in rule["nodes"]
        if not any(rule["id"] == name and part in node["html"] for name, part in NOT_OURS)
    ]


def _messages(node: dict[str, Any]) -> list[str]:
    return [check["message"] for kind in ("any", "all", "none") for check in node[kind]]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_core_finds_nothing_of_weight(
    page: Any, serve: Callable[[Path], str], hostile_home: Path, scheme: str
) -> None:
    assert set(ADDRESSES) == set(PAGES), "a page has no address here"
    page.set_viewport_size({"width": 1280, "height": 720})
    page.emulate_media(color_scheme=scheme)
    address, titles, found = serve(hostile_home), set(), []
    for paths in ADDRESSES.values():
        for path in paths:
            page.goto(f"{address}/{path}")
            drawn(page)
            found += [f"/{path} {line}" for line in violations(page)]
            found += [f"/{path} is cut off: {text}" for text in page.evaluate(CUT_OFF)]
        titles.add(page.title())
    assert found == [], "\n".join(found)
    assert len(titles) == len(PAGES), f"two pages have one title: {sorted(titles)}"


@pytest.fixture(scope="module")
def pumps_and_parts(anomalo: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with runs of a series, 0001-score, and of images, 0002-score, 0003-impute and 0004-augment."""
    place = tmp_path_factory.mktemp("other")
    test_series.write(place)
    test_images.draw(place / "parts")
    series = ("--time", "time", "--window", "24", "--model", "sub_pca", "--as", "pump")
    for words in (
        ("fit", place / "usual.csv", *series),
        ("score", place / "pump.csv", "--with", "pump"),
        ("fit", place / "parts", "--model", "local_pca", "--as", "parts"),
        ("score", place / "parts", "--with", "parts", "--threshold", "budget=3"),
        ("impute", place / "parts", "--with", "parts"),
        ("fit", place / "parts", "--model", "dcgan", "--as", "drawn", "--set", "epochs=1", "--set", "width=4"),
        ("augment", "--with", "drawn", "-n", "30"),
    ):
        done = anomalo(*words, "--workspace", place / "ws")
        assert done.code == 0, done.err
    return place / "ws"


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_series_and_images_are_read_too(
    page: Any, serve: Callable[[Path], str], pumps_and_parts: Path, scheme: str
) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.emulate_media(color_scheme=scheme)
    address, found = serve(pumps_and_parts), []
    for path in OTHERS:
        page.goto(f"{address}/{path}")
        drawn(page)
        found += [f"/{path} {line}" for line in violations(page)]
        found += [f"/{path} is cut off: {text}" for text in page.evaluate(CUT_OFF)]
    assert found == [], "\n".join(found)


def tab_to(page: Any, name: str) -> None:
    """Press Tab until what has this name is in focus; before a name stands its icon's."""
    for _ in range(150):
        page.keyboard.press("Tab")
        focused = str(page.evaluate("document.activeElement.matches('a, button') && document.activeElement.innerText"))
        if focused.strip().endswith(f"\n{name}"):
            return
    raise AssertionError(f"{name} cannot be reached by the Tab key")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_row_is_judged_by_the_keyboard_alone(
    page: Any, serve: Callable[[Path], str], hostile_home: Path, tmp_path: Path
) -> None:
    workspace = shutil.copytree(hostile_home, tmp_path / "w")
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{serve(workspace)}/overview")
    drawn(page)
    for name in ("Alerts", "Row"):
        tab_to(page, name)
        page.keyboard.press("Enter")
        page.get_by_role("heading", name=name, exact=True, level=1).wait_for()
        drawn(page)
    page.keyboard.press("f")
    page.get_by_text("History: 1 change").wait_for()
    store = Workspace(workspace)
    (review,) = store.reviews.of("0001-score").values()
    assert review.state == "false alarm"
    assert store.activity(1)[0].details == "1 row: false alarm"
