"""Pictures of images in a run: of those explained later, of filled ones, and what is read back of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anomalo.jobs.images import explained, kept
from anomalo.jobs.images.kept import has_pictures, picture
from anomalo.jobs.images.pictures import FOLDER, name_of, write_filled
from anomalo.workspace.workspace import Workspace

SIZE = (8, 10)


@pytest.fixture(scope="module")
def desk(anomalo: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, the first one with a mask, and a model of them."""
    place, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(2)
    (place / "all").mkdir()
    (place / "masks").mkdir()
    for at in range(30):
        Image.fromarray(rng.integers(60, 190, SIZE, np.uint8)).save(place / "all" / f"{at:02}.png")
    hidden = np.zeros(SIZE, np.uint8)
    hidden[2:4, 3:6] = 1
    Image.fromarray(hidden).save(place / "masks" / "00.png")
    return place


@pytest.fixture(scope="module")
def fitted(anomalo: Callable[..., Any], desk: Path) -> str:
    """What `fit` prints of images of which some pixels are hidden."""
    source = (desk / "all", "--masks", desk / "masks", "--workspace", desk / "ws")
    done = anomalo("fit", *source, "--model", "local_pca", "--as", "noise")
    assert done.code == 0, done.err
    return str(done.out)


def test_a_fit_on_masked_images_says_what_it_learned(fitted: str) -> None:
    assert "saved noise@1: local_pca, 30 images of 10 × 8 pixels, grey" in fitted
    assert "columns" not in fitted


def test_an_image_that_is_explained_later_gets_pictures_too(
    anomalo: Callable[..., Any], desk: Path, fitted: str
) -> None:
    of = ("--with", "noise", "--workspace", desk / "ws")
    scored = anomalo("score", desk / "all", *of, "--threshold", "budget=1", "--explain", 1, "--json").json
    run, first = Path(scored["path"]), scored["top"][0]["row"]
    assert has_pictures(run)
    later = next(row for row in range(30) if row != first)
    assert [picture(run, row) is None for row in (first, later)] == [False, True]
    done = anomalo("explain", desk / "all", *of, "--row", later, "--run", scored["id"])
    assert done.code == 0, done.err
    assert f"row {later} ({later:02}.png): score " in done.out
    assert "region" in done.out
    assert "interval" not in done.out
    for kind, shape in (("seen", SIZE), ("expected", SIZE), ("heat", (*SIZE, 3))):
        found = picture(run, later, kind)
        assert found is not None
        assert found.shape == shape
    with Image.open(desk / "all" / f"{later:02}.png") as image:
        assert np.abs(np.asarray(image).astype(int) - picture(run, later)).max() <= 1


def test_only_the_most_anomalous_images_get_pictures(
    anomalo: Callable[..., Any], desk: Path, fitted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anomalo.jobs.scoring.score.PICTURES", 2)
    done = anomalo("score", desk / "all", "--with", "noise", "--workspace", desk / "ws", "--threshold", "budget=3")
    run = max((desk / "ws" / "runs").iterdir())
    assert done.code == 0, done.err
    assert f"heat maps in {run / FOLDER}" in done.out
    assert len(list((run / FOLDER).iterdir())) == 2 * 3
    assert explained.PICTURES == 2000


def test_a_filled_image_is_kept_before_and_after(anomalo: Callable[..., Any], desk: Path, fitted: str) -> None:
    of = ("--with", "noise", "--workspace", desk / "ws")
    done = anomalo("impute", desk / "all", *of, "--masks", desk / "masks", "--json")
    run = Path(done.json["path"])
    assert sorted(path.name for path in (run / FOLDER).iterdir()) == ["000000.filled.png", "000000.png"]
    before, after = picture(run, 0), picture(run, 0, "filled")
    assert before is not None
    assert after is not None
    differs = before != after
    assert differs[2:4, 3:6].all()
    assert differs.sum() == 6
    masks = Workspace(desk / "ws").run(done.json["id"]).summary["reading"]["masks"]
    assert Path(masks).is_absolute()
    assert "no image has a mask" not in anomalo("impute", desk / "all", *of, "--masks", desk / "masks", "--force").out
    assert "no image has a mask" in anomalo("impute", desk / "all", *of).out


def write(folder: Path, content: bytes) -> None:
    (folder / FOLDER / name_of(3, "seen")).write_bytes(content)


def test_what_no_run_has_written_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FOLDER).mkdir()
    assert picture(tmp_path, 3) is None
    pixels = np.linspace(0, 1, 80, dtype=np.float32).reshape(*SIZE, 1)
    write_filled(tmp_path / FOLDER, 3, pixels, np.ones(SIZE, dtype=bool))
    good = (tmp_path / FOLDER / name_of(3, "seen")).read_bytes()
    found = picture(tmp_path, 3)
    assert found is not None
    assert found.shape == SIZE
    for content in (b"", b"no image", good[: len(good) // 2]):
        write(tmp_path, content)
        assert picture(tmp_path, 3) is None
    Image.fromarray(np.zeros((4, kept.MOST_SIDE + 1), np.uint8)).save(tmp_path / FOLDER / name_of(3, "seen"))
    assert picture(tmp_path, 3) is None
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / FOLDER / name_of(3, "seen"), format="GIF")
    assert picture(tmp_path, 3) is None
    (tmp_path / "elsewhere.png").write_bytes(good)
    (tmp_path / FOLDER / name_of(4, "seen")).symlink_to(tmp_path / "elsewhere.png")
    assert picture(tmp_path, 4) is None
    write(tmp_path, good)
    monkeypatch.setattr(kept, "MOST_BYTES", len(good) - 1)
    assert picture(tmp_path, 3) is None
