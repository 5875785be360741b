"""Folders, tables and arrays of images as rows: which files are images, which are masks, and what is refused."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from anomalo.errors import SourceError, UsageError
from anomalo.tabular.column import modality_of
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.folder.listing import local_files
from anomalo.tabular.reading.reader import read
from anomalo.tabular.schema import SchemaOptions, infer


def save(path: Path, value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 6), value, np.uint8)).save(path)
    return path


def table(source: Path | str, **options: Any) -> pa.Table:
    batches = read(str(source), ReadOptions(**options))
    assert batches is not None
    return pa.Table.from_batches(list(batches))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b/2.png", "a.jpg", "b/1.BMP", ".hidden.png", "a.mask.png"):
        save(tmp_path / "parts" / name)
    (tmp_path / "parts" / "notes.txt").write_text("taken on Monday\n")
    return tmp_path / "parts"


def test_a_folder_of_images_has_a_row_for_each_in_the_order_of_names(folder: Path) -> None:
    rows = table(folder)
    assert modality_of(rows.schema) == "image"
    assert rows["path"].to_pylist() == ["a.jpg", "b/1.BMP", "b/2.png"]
    assert rows["image_file"].to_pylist()[2] == str(folder / "b" / "2.png")
    assert rows["mask_file"].to_pylist() == [str(folder / "a.mask.png"), None, None]


def test_a_pattern_and_one_file_are_images_too(folder: Path) -> None:
    assert table(folder / "b" / "*")["path"].to_pylist() == ["1.BMP", "2.png"]
    assert table(folder / "b" / "*.png")["path"].to_pylist() == ["2.png"]
    assert table(folder / "a.jpg")["path"].to_pylist() == ["a.jpg"]


def test_a_folder_with_more_tables_than_images_is_a_table(folder: Path) -> None:
    for name in "xyzw":
        (folder / f"{name}.csv").write_text("size,weight\n1,2\n")
    assert table(folder / "*.csv").column_names == ["size", "weight"]
    (folder / "notes.txt").unlink()
    assert table(folder).column_names == ["size", "weight"]


def test_the_files_of_a_folder_of_images_are_these_and_their_masks(folder: Path) -> None:
    assert {path.name for path in local_files(str(folder))} == {"a.jpg", "a.mask.png", "1.BMP", "2.png"}


def test_masks_are_in_another_folder(folder: Path, tmp_path: Path) -> None:
    mask = save(tmp_path / "masks" / "b" / "2.png")
    assert table(folder, masks=str(tmp_path / "masks"))["mask_file"].to_pylist() == [None, None, str(mask)]
    with pytest.raises(SourceError, match="no such folder"):
        table(folder, masks=str(tmp_path / "absent"))


def test_a_column_of_a_table_names_images_beside_it(folder: Path) -> None:
    source = folder.parent / "parts.csv"
    source.write_text("photo,line,bad\nparts/b/2.png,7,yes\nparts/a.jpg,8,no\n")
    rows = table(source, images="photo")
    assert rows.column_names == ["path", "image_file", "mask_file", "line", "bad"]
    assert rows["image_file"].to_pylist() == [str(folder / "b/2.png"), str(folder / "a.jpg")]
    schema = infer(rows, SchemaOptions(label="bad"))
    assert [(column.name, column.role) for column in schema.columns] == [
        ("path", "id"),
        ("image_file", "feature"),
        ("mask_file", "feature"),
        ("line", "dropped"),
        ("bad", "label"),
    ]
    assert (schema.modality, schema.texts) == ("image", ())


def test_a_table_that_names_no_images_is_refused(folder: Path) -> None:
    source = folder.parent / "parts.csv"
    source.write_text("photo,line\nparts/a.jpg,1\n,2\n")
    with pytest.raises(UsageError, match=r"no such column; did you mean 'photo'\?"):
        table(source, images="phot")
    with pytest.raises(SourceError, match="row 1 names no image"):
        table(source, images="photo")
    source.write_text("photo,path\nparts/a.jpg,1\n")
    with pytest.raises(SourceError, match="a column 'path' beside"):
        table(source, images="photo")


def test_an_array_of_images_has_a_row_for_each(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "digits.npz", images=np.zeros((3, 8, 8), np.uint8), labels=np.arange(3))
    rows = table(tmp_path / "digits.npz")
    assert rows["path"].to_pylist() == ["images[0]", "images[1]", "images[2]"]
    assert rows["image_file"].to_pylist()[1] == f"{tmp_path / 'digits.npz'}#1"
    assert rows["labels"].to_pylist() == [0, 1, 2]
    assert [column.name for column in infer(rows).features] == ["image_file", "mask_file"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.arange(2), r"'labels' of int64 \(2,\); expected 3 whole numbers or texts"),
        (np.zeros((3, 1), np.uint8), r"'labels' of uint8 \(3, 1\)"),
        (np.zeros(3), "'labels' of float64"),
        (np.array(["a", None, "b"], dtype=object), "labels of .* are damaged"),
    ],
)
def test_labels_that_are_none_are_refused(tmp_path: Path, labels: np.ndarray, message: str) -> None:
    np.savez(tmp_path / "x.npz", images=np.zeros((3, 8, 8), np.uint8), labels=labels)
    with pytest.raises(SourceError, match=message):
        table(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 8), np.uint8), r"'images' of uint8 \(3, 8\)"),
        (np.zeros((3, 8, 8, 2), np.uint8), "C being 1 or 3"),
        (np.array([[["a"]]]), "of <U1"),
        (np.array([[[None]]], dtype=object), "of object"),
    ],
)
def test_an_array_of_something_else_is_refused(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.savez(tmp_path / "x.npz", images=array)
    with pytest.raises(SourceError, match=message):
        table(tmp_path / "x.npz")


def test_a_file_without_images_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", pictures=np.zeros((3, 8, 8)))
    with pytest.raises(SourceError, match="no array 'images'"):
        table(tmp_path / "x.npz")
    (tmp_path / "y.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(SourceError, match="is damaged"):
        table(tmp_path / "y.npz")
    with pytest.raises(SourceError, match="no such file"):
        table(tmp_path / "z.npz")
    with pytest.raises(SourceError, match="no such file"):
        table(tmp_path / "z.png")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((10**12, 1, 1), "its file has not"),
        ((3, 10**5, 10**5), "its file has not"),
        ("(" * 9000 + ")" * 9000, "damaged"),
    ],
)
def test_an_array_that_says_more_than_it_holds_is_refused(tmp_path: Path, shape: Any, message: str) -> None:
    said = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x02\x00" + len(said).to_bytes(4, "little") + said + bytes(1000))
    with pytest.raises(SourceError, match=message):
        table(tmp_path / "x.npz")


def test_an_array_of_too_large_images_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomalo.tabular.reading.images.files.MOST_PIXELS", 10)
    np.savez(tmp_path / "x.npz", images=np.zeros((2, 4, 4), np.uint8))
    with pytest.raises(SourceError, match="more than 10 pixels"):
        table(tmp_path / "x.npz")
