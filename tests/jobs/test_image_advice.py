"""`anomalo augment --advise` of images: the same advice as of tables, on a convolutional classifier."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from anomalo.pipeline.augmentation.image_part import ImagePart
from anomalo.pipeline.augmentation.study import advise
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions, infer

SMALL: dict[str, dict[str, Any]] = {
    "cyclegan": {"epochs": 1, "width": 2},
    "dcgan": {"epochs": 1, "width": 2, "noise": 2},
}


def bars(defects: int = 12, images: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Return dim noise [n, 8, 8] with a bright bar in each defective image, and the labels."""
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 60, (images, 8, 8)).astype(np.uint8)
    pixels[:defects, :, 3:5] = 250
    return pixels, np.where(np.arange(images) < defects, "crack", "free")


@pytest.fixture
def few_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    budgets = {"classifier": {"epochs": 4}} | SMALL
    monkeypatch.setattr(ImagePart, "budgets", budgets)


@pytest.fixture
def array(tmp_path: Path) -> Path:
    pixels, labels = bars()
    np.savez(tmp_path / "bars.npz", images=pixels, labels=labels)
    return tmp_path / "bars.npz"


def named(folder: Path, labels: np.ndarray, pixels: np.ndarray) -> Path:
    """Write the images as files, and a table that names them."""
    for at, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{at}.png")
    path = folder / "tiles.csv"
    pd.DataFrame({"file": [f"{at}.png" for at in range(len(labels))], "state": labels}).to_csv(path, index=False)
    return path


def part_of(source: Path) -> ImagePart:
    """Return images of which every fifth is held out."""
    registry = Registry.load()
    table = pa.Table.from_batches(list(registry.read(str(source))))
    schema = infer(table, SchemaOptions(label="labels"))
    truth = np.array(table["labels"].to_pylist()) == "crack"
    rows = np.arange(len(truth))
    return ImagePart(table, schema, truth, "crack", rows[rows % 5 != 0], rows[rows % 5 == 0], registry, 0)


@pytest.mark.slow
def test_a_class_that_is_half_of_the_others_needs_no_synthetic_images(tmp_path: Path) -> None:
    pixels, labels = bars(defects=25)
    np.savez(tmp_path / "bars.npz", images=pixels, labels=labels)
    part = part_of(tmp_path / "bars.npz")
    assert part.count() == 0
    assert len(part._synthetic("cyclegan", {})) == 0


def test_rare_images_are_repeated_until_they_are_half(array: Path) -> None:
    part = part_of(array)
    rows = part._balanced()
    rare = part.rare[rows]
    assert rare.sum() == (~rare).sum() == (~part.rare).sum()
    shown = np.bincount(rows, minlength=len(part.rare))[part.rare]
    assert shown.max() - shown.min() <= 1  # each as often as any other
    assert part.images.layout.classes == ("not crack", "crack")


@pytest.mark.slow
@pytest.mark.parametrize("generator", ["cyclegan", "dcgan"])
def test_synthetic_images_are_of_the_rare_class_and_from_the_training_part(
    array: Path, generator: str, few_epochs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, seen = part_of(array), []
    fit = ImagePart._fitted

    def spied(self: ImagePart, name: str, params: Any, images: Any, goals: Any) -> Any:
        seen.append((name, dict(params), images))
        return fit(self, name, params, images, goals)

    monkeypatch.setattr(ImagePart, "_fitted", spied)
    scores = part.scores(generator, SMALL[generator])
    assert scores.shape == (12,)
    assert np.isfinite(scores).all()
    (_, _, learned), (_, params, taught) = seen
    assert len(learned) == (48 if generator == "cyclegan" else part.rare.sum())
    extra = len(taught) - len(part.images)
    assert extra == part.count() == (~part.rare).sum() // 2 - part.rare.sum() > 0
    assert (taught.target[-extra:] == 1).all()
    np.testing.assert_array_equal(taught.values[:-extra], part.images.values)
    assert params["epochs"] == round(4 * 48 / len(taught))  # as many steps as without
    np.testing.assert_array_equal(scores, part_of(array).scores(generator, SMALL[generator]))


@pytest.mark.slow
def test_advice_on_images_has_the_report_of_tables(
    anomalo: Callable[..., Any], tmp_path: Path, few_epochs: None
) -> None:
    pixels, labels = bars()
    path = named(tmp_path, labels, pixels)
    wish = ("--images", "file", "--label", "state", "--model", "cyclegan", "--workspace", tmp_path / "ws")
    done = anomalo("augment", path, "--advise", *wish, "--json")
    assert done.code == 0, done.err
    facts = done.json["summary"]
    assert (facts["positive"], facts["positives"], facts["rows"]) == ("crack", 12, 60)
    assert [(trial["method"], trial["failure"]) for trial in facts["trials"]] == [
        ("none", None),
        ("weights", None),
        ("cyclegan", None),
    ]
    assert [trial["parts"] for trial in facts["trials"][:2]] == [10, 10]


@pytest.mark.slow
def test_a_generator_that_cannot_sample_is_reported(array: Path, few_epochs: None) -> None:
    table = pa.Table.from_batches(list(Registry.load().read(str(array))))
    advice = advise(
        table, SchemaOptions(label="labels"), Registry.load(), generators=("local_pca",), folds=2, repeats=1
    )
    assert "model 'local_pca' cannot sample" in str(advice.trials[2].failure)
    assert all(len(trial.precision) == 2 for trial in advice.trials[:2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--label", "labels", "--model", "smote"), "smote"),
        (("--label", "kind"), "kind"),
        ((), "--advise needs a table, or images, and its label"),
        (("--label", "labels", "-n", "5"), "--advise draws no rows"),
    ],
)
def test_what_cannot_be_advised_on(
    anomalo: Callable[..., Any], array: Path, options: tuple[str, ...], message: str
) -> None:
    done = anomalo("augment", array, "--advise", *options, "--workspace", array.parent / "ws")
    assert done.code == 2, done.err
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not list((array.parent / "ws" / "runs").glob("*"))


def test_a_rare_class_of_too_few_images_is_refused(anomalo: Callable[..., Any], tmp_path: Path) -> None:
    pixels, labels = bars(defects=4)
    np.savez(tmp_path / "bars.npz", images=pixels, labels=labels)
    done = anomalo("augment", tmp_path / "bars.npz", "--advise", "--label", "labels", "--workspace", tmp_path / "ws")
    assert done.code == 2
    assert "at least 10 rows, got crack (4)" in done.err


def test_images_are_for_advice_alone(anomalo: Callable[..., Any], tmp_path: Path) -> None:
    done = anomalo("augment", "--with", "x", "-n", 5, "--images", "file", "--workspace", tmp_path / "ws")
    assert done.code == 2
    assert "augment SOURCE --advise" in done.err


def test_texts_are_refused() -> None:
    from anomalo.tabular.column import with_modality

    table = pa.table({"line": ["a", "b"] * 20, "label": ["x", "y"] * 20})
    table = table.replace_schema_metadata(with_modality(table.schema, "text").metadata)
    with pytest.raises(ValueError, match="advice is for tables and images; got rows of modality 'text'"):
        advise(table, SchemaOptions(label="label"), Registry.load())
