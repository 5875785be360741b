"""Synthetic images from the command line: files, a table with the nearest training images, a contact sheet."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from anomalo.jobs.images.nearest import NearestImages

pytestmark = pytest.mark.slow
SHORT = ("--set", "epochs=1", "--set", "width=4", "--set", "noise=4")


@pytest.fixture(scope="module")
def desk(anomalo: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty images of bars, upright ones of class 1 and others of class 0; a generator with labels, one without."""
    place, rng = tmp_path_factory.mktemp("generators"), np.random.default_rng(4)
    labels = np.arange(40) % 2
    images = rng.integers(0, 60, (40, 8, 8)).astype(np.uint8)
    images[labels == 1, :, 3:5] = 250
    images[labels == 0, 3:5, :] = 250
    np.savez(place / "bars.npz", images=images, labels=labels)
    for model, more in (("dcgan", ()), ("cdcgan", ("--label", "labels", "--supervised"))):
        done = anomalo(
            *("fit", place / "bars.npz", "--model", model, "--as", model, "--workspace", place / "ws"), *SHORT, *more
        )
        assert done.code == 0, done.err
        assert ("classes: 0, 1\n" in done.out) == (model == "cdcgan")
    return place


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(float)


def augment(anomalo: Callable[..., Any], desk: Path, model: str, *more: Any) -> Any:
    return anomalo("augment", "--with", model, "--workspace", desk / "ws", *more)


def test_images_have_a_table_and_a_sheet(anomalo: Callable[..., Any], desk: Path) -> None:
    done = augment(anomalo, desk, "dcgan", "-n", 70, "-o", desk / "drawn", "--json")
    assert done.code == 0, done.err
    table = pd.read_csv(desk / "drawn" / "images.csv")
    assert table.columns.tolist() == ["path", "seed", "nearest", "distance"]
    assert len(table) == 70
    drawn = pixels(desk / "drawn" / table["path"][69]) / 255
    with np.load(desk / "bars.npz") as file:
        real = file["images"] / 255
    distances = np.sqrt(np.square(real - drawn).mean(axis=(1, 2)))
    assert table["nearest"][69] == f"images[{distances.argmin()}]"
    assert table["distance"][69] == pytest.approx(distances.min(), abs=2e-3)  # the file has 8 bits
    assert pixels(desk / "drawn" / "sheet.png").shape == (8 * 10 - 1, 6 * 18 - 1)
    assert done.json["summary"]["distance"]["of_training_images"] > 0
    fewer = augment(anomalo, desk, "dcgan", "-n", 3, "-o", desk / "fewer")
    assert "3 synthetic images in" in fewer.out
    for name in ("000000.png", "000002.png"):
        assert (desk / "fewer" / name).read_bytes() == (desk / "drawn" / name).read_bytes()


def test_a_class_is_asked_for_by_the_label(anomalo: Callable[..., Any], desk: Path) -> None:
    done = augment(anomalo, desk, "cdcgan", "-n", 5, "--where", "labels=1", "-o", desk / "ones/")
    assert done.code == 0, done.err
    assert pd.read_csv(desk / "ones" / "images.csv")["class"].tolist() == [1] * 5


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("dcgan", ("--where", "labels=1"), "fitted without labels"),
        ("cdcgan", ("--where", "labels=7"), "no such class; it has 0, 1"),
        ("cdcgan", ("--where", "size=7"), "by their label, 'labels', alone"),
        ("dcgan", ("--constraint", "a<b"), "--constraint is for tables"),
        ("dcgan", ("-o", "out.csv"), "give a name such as drawn/"),
        ("dcgan", ("-o", "."), "exists already"),
    ],
)
def test_what_does_not_apply_is_refused_by_name(
    anomalo: Callable[..., Any], desk: Path, model: str, options: tuple[str, ...], message: str
) -> None:
    before = sorted((desk / "ws" / "runs").glob("*"))
    done = augment(anomalo, desk, model, "-n", 3, *options)
    assert done.code in (1, 2)
    assert message in done.err
    assert sorted((desk / "ws" / "runs").glob("*")) == before


def test_without_the_training_images_it_draws_and_says_so(anomalo: Callable[..., Any], desk: Path) -> None:
    (desk / "bars.npz").rename(desk / "moved.npz")
    try:
        done = augment(anomalo, desk, "dcgan", "-n", 2, "--seed", 5, "-o", desk / "alone")
    finally:
        (desk / "moved.npz").rename(desk / "bars.npz")
    assert done.code == 0, done.err
    assert "the nearest ones are not known" in done.err
    assert pd.read_csv(desk / "alone" / "images.csv")["nearest"].isna().all()


def test_no_image_is_nearest_to_itself() -> None:
    rng = np.random.default_rng(0)
    images = rng.random((30, 4, 5, 1)).astype(np.float32)
    found = NearestImages(images[:6], np.arange(6))
    for first in (0, 10, 20):
        found.see(images[first : first + 10], [str(first + at) for at in range(10)], first)
    squared = np.square(images[:6, None] - images[None]).mean(axis=(2, 3, 4))
    squared[np.arange(6), np.arange(6)] = np.inf
    assert found.path == [str(at) for at in squared.argmin(axis=1)]
    np.testing.assert_allclose(found.distance, np.sqrt(squared.min(axis=1)), atol=1e-5)
