"""Images from the command line: fit, score, explain, impute, embed and scan a folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from anomalo.encoding.images.decoding import decoded, decoded_mask
from anomalo.jobs.images.pictures import heat_map, safe_name
from anomalo.pipeline.explaining.regions import regions

SIZE = (12, 16)
BAD = 7
"""Which of the new images has a scar."""


def wave(rng: np.random.Generator) -> np.ndarray:
    row, column = np.indices(SIZE)
    found = np.sin(0.4 * row + 0.6 * column + rng.uniform(0, 6.28)) + rng.normal(0, 0.05, SIZE)
    return (127 + 70 * found).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def desk(anomalo: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images to learn from, new ones, and a model of the former."""
    place, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(4)
    for folder, count in (("good", 60), ("new", 12)):
        (place / folder).mkdir()
        for at in range(count):
            image = wave(rng)
            if folder == "new" and at == BAD:
                image[5:8, 9:13] = 255
            Image.fromarray(image).save(place / folder / f"{at:02}.png")
    done = anomalo("fit", place / "good", "--model", "local_pca", "--as", "waves", "--workspace", place / "ws")
    assert done.code == 0, done.err
    assert "60 images of 16 × 12 pixels, grey" in done.out
    return place


def test_a_scar_is_an_alert_with_a_region_and_a_heat_map(anomalo: Callable[..., Any], desk: Path) -> None:
    out = desk / "scores.csv"
    done = anomalo(
        *("score", desk / "new", "--with", "waves", "--workspace", desk / "ws", "--threshold", "budget=1"),
        *("--explain", 2, "-o", out, "--json"),
    )
    assert done.code == 0, done.err
    assert out.read_text().splitlines()[0] == "row,path,score,p_value,alert,reasons"
    (first, *_) = done.json["top"]
    assert (first["row"], first["path"], first["alert"]) == (BAD, "07.png", True)
    assert first["reasons"][0]["column"].startswith("x ")
    assert float(first["reasons"][0]["observed"]) > float(first["reasons"][0]["expected"])
    run = Path(done.json["path"])
    assert len(list((run / "images").iterdir())) == 2 * 3
    heat = np.asarray(Image.open(run / "images" / f"{BAD:06}.heat.png"))
    assert heat.shape == (*SIZE, 3)
    coloured = np.ptp(heat.astype(int), axis=2) > 60
    assert coloured[5:8, 9:13].mean() > 0.5
    assert coloured.mean() < 0.3
    cells = pq.read_table(run / "cells.parquet")
    assert set(cells["row"].to_pylist()) == set(pq.read_table(run / "rows.parquet")["row"].to_pylist())
    assert cells.filter(np.array(cells["row"]) == BAD)["contribution"][0].as_py() <= first["score"]


def test_one_image_is_explained(anomalo: Callable[..., Any], desk: Path) -> None:
    done = anomalo("explain", desk / "new", "--with", "waves", "--row", BAD, "--workspace", desk / "ws", "--json")
    assert done.code == 0, done.err
    assert (done.json["path"], done.json["cells"][0]["kind"]) == ("07.png", "image")
    shown = anomalo("explain", desk / "new", "--with", "waves", "--row", BAD, "--workspace", desk / "ws")
    assert "x " in shown.out


def test_hidden_pixels_are_filled_and_no_other_changes(anomalo: Callable[..., Any], desk: Path) -> None:
    masks = desk / "masks"
    masks.mkdir()
    hidden = np.zeros(SIZE, np.uint8)
    hidden[4:9, 8:14] = 255
    Image.fromarray(hidden).save(masks / "07.png")
    done = anomalo(
        *("impute", desk / "new", "--with", "waves", "--masks", masks, "--workspace", desk / "ws"),
        *("-o", f"{desk / 'filled'}/"),
    )
    assert done.code == 0, done.err
    assert "12 images, 30 hidden pixels filled" in done.out
    assert [path.name for path in (desk / "filled").iterdir()] == ["07.png"]
    before, after = (np.asarray(Image.open(desk / name / "07.png")).astype(int) for name in ("new", "filled"))
    assert (before == after)[hidden == 0].all()
    assert after[5:8, 9:13].mean() < before[5:8, 9:13].mean() - 20
    again = anomalo("impute", desk / "new", "--with", "waves", "--workspace", desk / "ws", "-o", f"{desk / 'filled'}/")
    assert (again.code, "exists already" in again.err) == (1, True)
    table = anomalo("impute", desk / "new", "--with", "waves", "--workspace", desk / "ws", "-o", desk / "filled.csv")
    assert (table.code, "end it in a slash" in table.err) == (2, True)


def test_a_table_that_names_images_is_scored_by_the_same_model(anomalo: Callable[..., Any], desk: Path) -> None:
    source = desk / "parts.csv"
    source.write_text("photo,batch\nnew/07.png,A\nnew/01.png,B\n")
    done = anomalo(
        *("score", source, "--images", "photo", "--with", "waves", "--workspace", desk / "ws"),
        *("--threshold", "budget=1", "--json"),
    )
    assert done.code == 0, done.err
    assert done.json["top"][0]["path"] == "new/07.png"


def test_a_damaged_image_is_named_and_nothing_is_written(anomalo: Callable[..., Any], desk: Path) -> None:
    spoilt = desk / "spoilt"
    spoilt.mkdir()
    Image.fromarray(wave(np.random.default_rng(1))).save(spoilt / "a.png")
    (spoilt / "b.png").write_bytes(b"\x89PNG but not for long")
    out = desk / "none.csv"
    done = anomalo("score", spoilt, "--with", "waves", "--workspace", desk / "ws", "-o", out)
    assert (done.code, out.exists()) == (1, False)
    assert f"{spoilt / 'b.png'} is empty or damaged" in done.err


def test_a_table_does_not_fit_a_model_of_images_nor_the_reverse(anomalo: Callable[..., Any], desk: Path) -> None:
    table = desk / "table.csv"
    table.write_text("a,b\n" + "".join(f"{at},{at % 7}\n" for at in range(30)))
    done = anomalo("score", table, "--with", "waves", "--workspace", desk / "ws")
    assert (done.code, "image_file" in done.err) == (4, True)
    done = anomalo("fit", desk / "good", "--model", "knn", "--as", "x", "--workspace", desk / "ws")
    assert (done.code, "for modality 'table'" in done.err) == (2, True)


def test_the_same_scoring_is_not_done_twice_unless_an_image_changed(anomalo: Callable[..., Any], desk: Path) -> None:
    verb = ("score", desk / "good", "--with", "waves", "--workspace", desk / "ws", "--json")
    first, second = (anomalo(*verb).json["id"] for _ in range(2))
    assert first == second
    (desk / "good" / "00.png").write_bytes((desk / "good" / "01.png").read_bytes())
    assert anomalo(*verb).json["id"] != first


def test_a_network_is_scanned_with_and_gives_codes(anomalo: Callable[..., Any], desk: Path) -> None:
    common = ("--workspace", desk / "ws")
    done = anomalo("scan", desk / "new", "--model", "conv", "--set", "epochs=1", "--set", "width=2", *common, "--json")
    assert done.code == 0, done.err
    assert len(done.json["top"]) == 10
    codes = anomalo("embed", desk / "new", "--with", "new", *common, "-o", desk / "codes.parquet")
    assert codes.code == 0, codes.err
    assert pq.read_table(desk / "codes.parquet").column_names[:3] == ["row", "path", "code_0"]


def test_regions_are_connected_and_the_largest_comes_first() -> None:
    part = np.zeros((10, 10))
    part[1, 1:4], part[6:9, 5:8], part[0, 9] = 2.0, 1.0, 0.1
    grey = np.full((10, 10, 1), 0.5, dtype=np.float32)
    found = regions(part, grey, grey)
    assert [(region.name, region.contribution) for region in found] == [("x 5-7, y 6-8", 9.0), ("x 1-3, y 1", 6.0)]
    assert regions(np.zeros((4, 4)), grey[:4, :4], grey[:4, :4]) == []


def test_a_heat_map_is_the_image_where_nothing_is_strange() -> None:
    pixels = np.random.default_rng(0).random((6, 6, 1), dtype=np.float32)
    part = np.zeros((6, 6))
    part[2, 3] = 5.0
    heat = heat_map(pixels, part)
    grey = np.rint(pixels * 255).astype(np.uint8)
    assert (heat[part == 0] == grey[part == 0]).all()
    assert heat[2, 3, 0] > heat[2, 3, 2]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/etc/passwd", "etc/passwd.png"),
        ("..\\..\\x.jpg", "x.png"),
        ("a/./b.TIF", "a/b.png"),
        ("", "image.png"),
    ],
)
def test_a_filled_image_is_written_below_the_folder(path: str, name: str) -> None:
    assert safe_name(path) == name


def test_a_fill_is_enlarged_to_the_image(anomalo: Callable[..., Any], desk: Path) -> None:
    large = desk / "large"
    large.mkdir()
    image = wave(np.random.default_rng(9))
    Image.fromarray(image).resize((32, 24)).save(large / "a.png")
    hidden = np.zeros((24, 32), np.uint8)
    hidden[6:12, 10:20] = 1
    Image.fromarray(hidden).save(large / "a.mask.png")
    done = anomalo("impute", large, "--with", "waves", "--workspace", desk / "ws", "--json")
    assert done.code == 0, done.err
    filled, _ = decoded(str(Path(done.json["path"]) / "filled" / "a.png"), None, 1)
    before, _ = decoded(str(large / "a.png"), None, 1)
    assert filled.shape == (24, 32, 1)
    seen = ~decoded_mask(str(large / "a.mask.png"), (24, 32))
    assert (filled == before)[seen].all()
    assert np.abs(filled - before)[~seen].max() < 0.4


@pytest.mark.parametrize("verb", [("schema",), ("clean",), ("compare",)])
def test_verbs_of_tables_refuse_images(anomalo: Callable[..., Any], desk: Path, verb: tuple[str, ...]) -> None:
    sources = [desk / "new"] * (2 if verb == ("compare",) else 1)
    done = anomalo(*verb, *sources, "--workspace", desk / "ws")
    assert (done.code, "holds rows of modality image; expected a table" in done.err) == (4, True)


def test_the_model_of_images_is_the_default_and_its_parameters_are_checked_before_a_source_is_read(
    anomalo: Callable[..., Any], desk: Path
) -> None:
    of_tables = anomalo("fit", desk / "absent.csv", "--as", "none", "--set", "taught=conv", "--workspace", desk / "ws")
    assert (of_tables.code, "model 'auto' has no parameter 'taught'" in of_tables.err) == (2, True)
    of_images = anomalo("fit", desk / "good", "--as", "none", "--assume", "clean", "--workspace", desk / "ws")
    assert (of_images.code, "model 'auto' has no parameter 'assume'" in of_images.err) == (2, True)
    nowhere = anomalo("fit", desk / "absent.npz", "--as", "none", "--set", "pieces=3", "--workspace", desk / "ws")
    assert (nowhere.code, "model 'auto' has no parameter 'pieces'" in nowhere.err) == (2, True)


@pytest.mark.slow
def test_a_folder_is_scanned_by_the_default_model_whatever_its_files_are_called(
    anomalo: Callable[..., Any], desk: Path
) -> None:
    scores = []
    for name in ("forward", "backward"):
        (desk / name).mkdir()
        for at, path in enumerate(sorted((desk / "new").iterdir())):
            (desk / name / f"{at if name == 'forward' else 50 - at:02}.png").write_bytes(path.read_bytes())
        done = anomalo("scan", desk / name, "--effort", "fast", "--workspace", desk / "ws", "--json")
        assert done.code == 0, done.err
        rows = pq.read_table(Path(done.json["path"]) / "scores.parquet").to_pydict()
        scores.append(sorted(rows["score"]))
        assert anomalo("models", name, "--workspace", desk / "ws", "--json").json["model"] == "auto"
    assert scores[0] == scores[1]


@pytest.mark.slow
def test_a_classifier_of_images_starts_from_a_pretrained_encoder(anomalo: Callable[..., Any], desk: Path) -> None:
    brief = ("--set", "epochs=1", "--workspace", desk / "ws")
    done = anomalo("pretrain", desk / "good", "--model", "conv", "--as", "strokes", *brief)
    assert done.code == 0, done.err
    lines = [f"good/{at:02}.png,{'odd' if at % 2 else 'even'}" for at in range(30)]
    (desk / "labelled.csv").write_text("\n".join(["file,sort", *lines]) + "\n")
    learned = ("--images", "file", "--label", "sort", "--supervised", "--from", "strokes", "--as", "reader")
    fitted = anomalo("fit", desk / "labelled.csv", *learned, *brief)
    assert fitted.code == 0, fitted.err
    scored = anomalo("score", desk / "new", "--with", "reader", "--workspace", desk / "ws", "--json")
    assert scored.code == 0, scored.err
    assert 0 <= scored.json["top"][0]["score"] <= 1
