"""Pages of a workspace whose table tries to be more than text: in the browser nothing of it is more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest

FROM_DATA = {
    "links": "a[href*='evil'], a[href^='mailto:']",
    "pictures": "img[src*='evil'], img[src='x'], img[alt='x']",
    "formulas": ".katex",
    "colours": ".stMarkdownColoredText, .stMarkdownBadge",
    "code in texts": "[data-testid=stMarkdownContainer] p code, [data-testid=stCaptionContainer] code",
    "help icons": "[data-testid=stMarkdownContainer] [data-testid=stTooltipIcon]:not(.st-key-threshold_label *)",
}
ICONS = "[data-testid=stMarkdownContainer] span[role=img]"
"""Icons within texts; of the dashboard's own there is one, before its notes."""
OWN_ICONS = {"info"}
PAGES = {
    "": "id",
    "overview": "![x] [l](e) <img src=x onerror=alert(1)>",
    "alerts?show=all%20rows": "www.evil.example@1",
    "row?row=0": "![x](http://evil.example/a.png) 0",
    "embedding_map": "www.evil.example@1",
    "repairs?run=0002-impute": "www.evil.example@1",
    "repairs?run=0003-repair": "www.evil.example@1",
    "feedback": "www.evil.example@1",
    "synthesize": "**bold**",
    "models?model=www.evil.example%401": "![x] [l](e) <img src=x onerror=alert(1)>",
    "plugins": "autoencoders",
    "alerts?run=" + quote("![x](http://evil.example/a.png)"): "![x](http://evil.example/a.png)",
    "models?model=" + quote(r"$\frac{1}{2}$ :smile:"): r"$\frac{1}{2}$ :smile:",
    "?job=" + quote("[link](http://evil.example) :red[x]"): "[link](http://evil.example) :red[x]",
}


def check(page: Any, expected: str, dialogs: list[str]) -> None:
    page.wait_for_function("document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'")
    page.wait_for_function(  # charts, tables and icons are loaded afterwards, on a busy machine long afterwards
        "text => document.body.innerText.replaceAll('\\u2060', '').includes(text)", arg=expected
    )
    page.wait_for_timeout(1500)
    for what, selector in FROM_DATA.items():
        assert page.locator(selector).count() == 0, what
    assert set(page.locator(ICONS).all_inner_texts()) <= OWN_ICONS
    text = page.locator("body").inner_text().replace("\u2060", "")
    assert expected in text
    assert "😄" not in text
    assert "\u202e" not in text
    assert dialogs == []


@pytest.mark.slow
def test_what_is_hostile_is_shown_as_text(
    page: Any, serve: Callable[[Path], str], hostile_home: Path, made: ModuleType
) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    address = serve(hostile_home)
    for path, expected in PAGES.items():
        page.goto(f"{address}/{path}")
        check(page, expected if path else "Start", dialogs)

    page.goto(address)
    page.locator("input[type=file]").set_input_files(hostile_home.parent / made.FILE)
    page.get_by_text("2. Columns").wait_for()
    check(page, made.FILE, dialogs)

    page.goto(f"{address}/alerts")
    page.get_by_role("button", name="More filters").click()
    page.get_by_label("Column in the reasons").click()
    page.get_by_role("option").first.wait_for()
    assert page.locator("[role=option] a, [role=option] img, [role=option] strong, [role=option] code").count() == 0
    check(page, ":material/home: :smile: `code` www.evil.example", dialogs)
