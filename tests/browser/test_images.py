"""A folder of images in a browser: learned, then alerts with thumbnails, a row with a heat map, and what was filled."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

SIZE = (12, 16)


def draw(folder: Path) -> None:
    rng = np.random.default_rng(4)
    folder.mkdir(parents=True)
    row, column = np.indices(SIZE)
    for at in range(40):
        wave = np.sin(0.4 * row + 0.6 * column + rng.uniform(0, 6.28)) + rng.normal(0, 0.05, SIZE)
        image = (127 + 70 * wave).clip(0, 255).astype(np.uint8)
        if at == 7:
            image[5:8, 9:13] = 255
        Image.fromarray(image).save(folder / f"{at:02}.png")
    hidden = np.zeros(SIZE, np.uint8)
    hidden[5:8, 9:13] = 255
    Image.fromarray(hidden).save(folder / "03.mask.png")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_folder_is_learned_and_its_images_are_seen(page: Any, serve: Callable[[Path], str], tmp_path: Path) -> None:
    folder = tmp_path / "workspace" / "parts"
    draw(folder)
    address = serve(tmp_path / "workspace")
    page.goto(address)
    box = page.get_by_label("Or the path of a file, or of a folder of images")
    box.fill(str(folder))
    box.press("Enter")
    page.get_by_text("parts: 40 images, 1 mask").wait_for()
    page.get_by_role("button", name="Fit and score").wait_for()
    share = page.get_by_role("spinbutton", name="Alert if the p-value is at most")  # of 40 images, 1 % is none
    share.fill("10")
    share.press("Enter")
    page.get_by_text("share=0.1").wait_for(state="attached")
    page.get_by_role("button", name="Fit and score").click()
    page.get_by_role("button", name=re.compile("^See the .*alert")).click()

    page.get_by_role("heading", name="Row 7 (07.png)").wait_for()
    page.get_by_alt_text("Heat map of row 7").wait_for()
    page.locator(".st-key-open_row button").click()
    page.get_by_role("heading", name="Row 7 (07.png) is an alert").wait_for()
    heat = page.get_by_alt_text("Heat map of row 7")
    before = heat.get_attribute("src")
    page.get_by_role("slider").press("Home")
    page.wait_for_function(
        "old => { const image = document.querySelector('img[alt^=Heat]');"
        " return image && image.getAttribute('src') !== old && image.naturalWidth === 384; }",
        arg=before,
    )

    page.get_by_role("link", name="Repairs").click()
    page.get_by_alt_text("Row 3 after").wait_for()
    with page.expect_download() as saved:
        page.get_by_role("button", name="All as a zip archive").click()
    assert Path(saved.value.path()).read_bytes().startswith(b"PK")
