"""Every error is reported in one line, with the documented exit code, and leaves no partial output."""

import gzip
import json
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

Make = Callable[[pd.DataFrame, Path], object]


def tree(*folders: Path) -> list[str]:
    """All that is in some folders but the database, and the two folders that a workspace has."""
    found = (path for folder in folders for path in folder.rglob("*"))
    return sorted(str(p) for p in found if not (p.name.startswith("anomalo.db") or p.name in ("models", "runs")))


def outside(paths: list[str]) -> list[str]:
    """Leave out what a job keeps to be resumed."""
    return [path for path in paths if "unfinished" not in path]


@pytest.fixture
def fails(anomalo: Any, workspace: Path, tmp_path: Path) -> Callable[..., str]:
    """Run a verb that must fail with a code, in one line, writing nothing but `resumable`; return that line."""

    def run(code: int, *arguments: object, at: Path | None = None, resumable: bool = False) -> str:
        folder = at or workspace
        before = tree(folder, tmp_path)
        outcome = anomalo(*arguments, "--workspace", folder)
        assert (outcome.code, outcome.out) == (code, ""), outcome.err
        lines = [line for line in outcome.err.splitlines() if not line.startswith("warning: ")]
        assert [line[:7] for line in lines] == ["error: "], outcome.err
        assert "Traceback" not in outcome.err
        after = tree(folder, tmp_path)
        assert outside(after) == outside(before)
        assert resumable or after == before
        return lines[0].removeprefix("error: ")

    return run


def text(content: str) -> Make:
    return lambda frame, path: path.write_text(content)


def data(content: bytes) -> Make:
    return lambda frame, path: path.write_bytes(content)


def half(make: Make) -> Make:
    def write(frame: pd.DataFrame, path: Path) -> None:
        make(frame, path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return write


def as_csv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False)


def as_parquet(frame: pd.DataFrame, path: Path) -> None:
    frame.to_parquet(path, index=False)


def packed(frame: pd.DataFrame, path: Path) -> None:
    path.write_bytes(gzip.compress(frame.to_csv(index=False).encode(), mtime=0))


def with_cell(column: str, row: int, value: object) -> Make:
    def write(frame: pd.DataFrame, path: Path) -> None:
        changed = frame.astype({column: object})
        changed.loc[row, column] = value
        as_csv(changed, path)

    return write


UNREADABLE: list[tuple[str, Make | None, str]] = [
    ("absent.csv", None, "no such file: {path}"),
    ("absent.parquet", None, "no such file: {path}"),
    ("empty.csv", text(""), "{path} is empty; expected a header line and rows"),
    ("blank.csv", text("\n\n"), "{path} is empty; expected a header line and rows"),
    ("header.csv", text("height,weight\n"), "{path} has a header but no rows"),
    ("none.parquet", lambda frame, path: as_parquet(frame[:0], path), "{path} has no rows"),
    ("cut.csv", data("ä,b\n1,é\n2,ü".encode()[:-1]), "{path} is not UTF-8: it ends inside a character"),
    ("ragged.csv", text("a,b,c\n1,2,3\n4,5\n6,7,8\n"), "{path}, line 3: 2 fields, but the header has 3"),
    ("half.parquet", half(as_parquet), "{path} is a damaged or truncated Parquet file"),
    ("half.csv.gz", half(packed), "{path} is a damaged or truncated gzip file"),
    ("lies.parquet", as_csv, "{path} is not a Parquet file: it does not start with PAR1"),
    ("binary.csv", data(bytes(range(256))), "{path} is not a text file"),
]


@pytest.mark.parametrize("verb", ["fit", "score", "impute"])
@pytest.mark.parametrize(("name", "make", "message"), UNREADABLE, ids=[name for name, _, _ in UNREADABLE])
def test_a_table_that_cannot_be_read(
    fails: Any, patients: pd.DataFrame, tmp_path: Path, verb: str, name: str, make: Make | None, message: str
) -> None:
    path = tmp_path / name
    if make is not None:
        make(patients, path)
    models = {"score": "full", "impute": "fill"}
    rest = ("--as", "new", "--model", "knn") if verb == "fit" else ("--with", models[verb], "-o", tmp_path / "out.csv")
    assert fails(1, verb, path, *rest).startswith(message.format(path=path))


def test_a_folder_without_tables_is_no_table(fails: Any, tmp_path: Path) -> None:
    assert (
        fails(1, "fit", tmp_path, "--as", "new")
        == f"the folder {tmp_path} holds no table; expected tables: CSV, workbooks, Parquet, Arrow or JSON lines; "
        "or images: PNG, JPEG, TIFF or BMP"
    )


UNFIT: list[tuple[str, Make, str]] = [
    ("one row", lambda frame, path: as_csv(frame[:1], path), "the table has 1 row"),
    ("only text", lambda frame, path: as_csv(frame[["name"]], path), "there is no column to learn from; column 'name'"),
    (
        "only missing",
        lambda frame, path: as_csv(pd.DataFrame({"a": [None] * 9, "b": [None] * 9}), path),
        "there is no column to learn from; column 'a' is left out: every cell is missing",
    ),
    (
        "infinite",
        with_cell("weight", 7, "inf"),
        "column 'weight' holds an infinite number in row 7; correct it, or fit with --inf missing",
    ),
]


@pytest.mark.parametrize(("make", "message"), [case[1:] for case in UNFIT], ids=[case[0] for case in UNFIT])
def test_a_table_that_cannot_be_learned_from(
    fails: Any, patients: pd.DataFrame, tmp_path: Path, make: Make, message: str
) -> None:
    path = tmp_path / "bad.csv"
    make(patients, path)
    assert fails(1, "fit", path, "--as", "new", "--model", "knn").startswith(message)
    assert fails(1, "scan", path, "--model", "knn").startswith(message)


def test_infinite_numbers_can_be_taken_as_missing(
    anomalo: Any, patients: pd.DataFrame, tables: Path, workspace: Path, tmp_path: Path
) -> None:
    for name in ("infinite.csv", "infinite.parquet"):
        frame = patients.assign(weight=patients["weight"].where(patients.index != 7, np.inf))
        (as_csv if name.endswith("csv") else as_parquet)(frame, tmp_path / name)
        arguments = ("--as", "finite", "--model", "knn", "--inf", "missing", "--workspace", tmp_path / "w")
        assert anomalo("fit", tmp_path / name, *arguments).code == 0
    outcome = anomalo("score", tmp_path / "infinite.csv", "--with", "finite", "-o", tmp_path / "o.csv", *arguments[-2:])
    assert outcome.code == 0


def test_an_empty_column_is_left_out_and_said_so(anomalo: Any, patients: pd.DataFrame, tmp_path: Path) -> None:
    as_csv(patients.assign(nothing=None), tmp_path / "missing.csv")
    rest = ("--as", "m", "--model", "knn", "--id", "name", "--workspace", tmp_path / "w")
    outcome = anomalo("fit", tmp_path / "missing.csv", *rest)
    assert outcome.code == 0
    assert "warning: column 'nothing' is left out: every cell is missing" in outcome.err


def test_equal_rows_teach_nothing_and_that_is_said(anomalo: Any, tmp_path: Path) -> None:
    as_csv(pd.DataFrame({"a": [1] * 50, "b": ["x"] * 50}), tmp_path / "equal.csv")
    outcome = anomalo("scan", tmp_path / "equal.csv", "--model", "knn", "--workspace", tmp_path / "w")
    assert outcome.code == 0
    assert outcome.err.splitlines() == [
        "warning: all training rows are equal, so no row can be called anomalous: every p-value is 1"
    ]


MISFIT: list[tuple[str, Make, int, str]] = [
    (
        "missing column",
        lambda frame, path: as_csv(frame.drop(columns="weight"), path),
        4,
        "the model reads the column 'weight', which the table does not have",
    ),
    (
        "renamed column",
        lambda frame, path: as_csv(frame.rename(columns={"weight": "weigth"}), path),
        4,
        "the model reads the column 'weight', which the table does not have; did you mean 'weigth'",
    ),
    (
        "text in a number column",
        lambda frame, path: frame.assign(weight="heavy").to_csv(path, index=False),
        4,
        "column 'weight' holds 'heavy' in row 0, where a number is expected",
    ),
    ("infinite", with_cell("weight", 7, "-inf"), 1, "column 'weight' holds an infinite number in row 7"),
]


@pytest.mark.parametrize("verb", ["score", "impute", "explain"])
@pytest.mark.parametrize(("make", "code", "message"), [case[1:] for case in MISFIT], ids=[case[0] for case in MISFIT])
def test_a_table_that_does_not_fit_the_model(
    fails: Any, patients: pd.DataFrame, tmp_path: Path, verb: str, make: Make, code: int, message: str
) -> None:
    path = tmp_path / "bad.csv"
    make(patients, path)
    rest = ("--row", 0) if verb == "explain" else ("-o", tmp_path / "out.csv")
    assert fails(code, verb, path, "--with", "full", *rest).startswith(message)


def test_a_batch_of_bad_cells_far_down_is_found_and_named(fails: Any, patients: pd.DataFrame, tmp_path: Path) -> None:
    long = pd.concat([patients] * 200, ignore_index=True)
    long.assign(children=long["children"].astype(object).where(long.index < 40_000, "many")).to_csv(
        tmp_path / "long.csv", index=False
    )
    said = fails(4, "score", tmp_path / "long.csv", "--with", "full", "-o", tmp_path / "out.csv", "--strict")
    assert said.startswith("column 'children' holds 'many' in row 40000")
    long.assign(children=long["children"].astype(object).where(long.index < 20_000, "many")).to_csv(
        tmp_path / "long.csv", index=False
    )
    said = fails(4, "score", tmp_path / "long.csv", "--with", "full", "-o", tmp_path / "out.csv")
    assert said.startswith("column 'children': 28,000 of 48,000 cells cannot be read as")


FIT = ("fit", "{table}", "--as", "new", "--model", "knn")
SCORE = ("score", "{table}", "--with", "full", "-o", "{out}")
USAGE: list[tuple[tuple[str, ...], str]] = [
    (("fit", "{table}", "--as", "new", "--model", "knnn"), "no model is named 'knnn'; did you mean 'knn'?"),
    (
        (*FIT, "--set", "neigbours=3"),
        "model 'knn' has no parameter 'neigbours'; did you mean 'neighbours'?; it has: neighbours",
    ),
    ((*FIT, "--set", "neighbours=few"), "neighbours=few: expected a whole number, such as 5"),
    ((*FIT, "--set", "neighbours=0"), "neighbours=0: expected a value from 1"),
    ((*FIT, "--set", "neighbours"), "--set neighbours: expected NAME=VALUE"),
    ((*FIT, "--kind", "weight=heavy"), "column 'weight' cannot be of kind 'heavy'; the kinds are: number, "),
    ((*FIT, "--kind", "weihgt=number"), "there is no column 'weihgt'; did you mean 'weight'"),
    ((*FIT, "--drop", "weihgt"), "there is no column 'weihgt'; did you mean 'weight'"),
    ((*FIT, "--id", "nam"), "there is no column 'nam'; did you mean 'name'?"),
    ((*FIT, "--label", "sik"), "there is no column 'sik'; did you mean 'sick'?"),
    ((*FIT, "--inf", "ignore"), "--inf ignore: expected error or missing"),
    ((*FIT, "--device", "tpu"), "device 'tpu': expected auto, cpu, cuda, cuda:N or mps"),
    ((*FIT, "--seed", "lucky"), "Invalid value for '--seed'"),
    ((*FIT, "--threads", "0"), "Invalid value for '--threads'"),
    (("fit", "{table}", "--as", "a/b"), "name 'a/b': expected 1 to 100 letters"),
    (("fit", "{table}"), "Missing option '--as'; see `anomalo fit --help`"),
    ((*FIT, "--modle", "knn"), "No such option: --modle"),
    (("fti", "{table}"), "No such command 'fti'"),
    (("score", "{table}", "--with", "ful", "-o", "{out}"), "no saved model is named 'ful'; did you mean 'full'?"),
    (("score", "{table}", "--with", "full@9", "-o", "{out}"), "no version or tag of 'full' is named '9'; there is: 1"),
    (("score", "{table}", "--with", "fill", "-o", "{out}"), "model 'mean' cannot score; it can: impute"),
    (("impute", "{table}", "--with", "near", "-o", "{out}"), "model 'knn' cannot impute; it can: score, explain"),
    ((*SCORE[:-1], "{out}.xls"), "cannot infer the format of 'out.csv.xls'; expected a name ending in: .csv, "),
    ((*SCORE[:-1], "{table}"), "{table} is the table that is read; give another name for the result"),
    ((*SCORE, "--threshold", "share=2"), "threshold 'share=2': expected share=S or fdr=Q"),
    ((*SCORE, "--threshold", "rows=3"), "threshold 'rows=3': expected share=S or fdr=Q"),
    ((*SCORE, "--threshold", "budget=0"), "threshold 'budget=0': expected share=S or fdr=Q"),
    ((*SCORE, "--device", "gpu"), "device 'gpu': expected auto, cpu, cuda, cuda:N or mps"),
    (("explain", "{table}", "--with", "full", "--row", "240"), "row 240: {table} has 240 rows; give a number from 0"),
    (("models", "fulll"), "no saved model is named 'fulll'; did you mean 'full'?"),
    (("runs", "9999-score"), "no run is named '9999-score'"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE, ids=[message[:40] for _, message in USAGE])
def test_wrong_usage(fails: Any, tables: Path, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    paths = {"table": tables / "patients.csv", "out": tmp_path / "out.csv"}
    said = fails(2, *(argument.format(**paths) for argument in arguments))
    assert said.startswith(message.format(**paths))


def test_a_schema_file_that_is_none(fails: Any, tables: Path, tmp_path: Path) -> None:
    fit = ("fit", tables / "patients.csv", "--as", "new", "--schema")
    (tmp_path / "bad.toml").write_text("columns = [")
    assert "is not TOML" in fails(2, *fit, tmp_path / "bad.toml")
    assert fails(1, *fit, tmp_path / "absent.toml").startswith(f"cannot read {tmp_path / 'absent.toml'}")


@pytest.mark.parametrize("file", ["manifest.json", "*.safetensors"])
@pytest.mark.parametrize("position", [0.2, 0.9])
def test_one_flipped_byte_in_a_saved_model(
    fails: Any, workspace: Path, tables: Path, tmp_path: Path, file: str, position: float
) -> None:
    copy = shutil.copytree(workspace, tmp_path / "copy")
    target = next((copy / "models" / "full" / "1").rglob(file))
    content = bytearray(target.read_bytes())
    content[int(len(content) * position)] ^= 1
    target.write_bytes(content)
    said = fails(1, "score", tables / "patients.csv", "--with", "full", "-o", tmp_path / "out.csv", at=copy)
    assert target.name in said
    assert "damaged" in said


def test_the_output_cannot_be_written(fails: Any, tables: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    score = ("score", tables / "patients.csv", "--with", "full", "-o")
    assert "Not a directory" in fails(1, *score, tmp_path / "file" / "out.csv")
    assert "No such file or directory" in fails(1, *score, tmp_path / "absent" / "out.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "it is a folder" in fails(1, *score, tmp_path / "folder.csv")
    (tmp_path / "null.csv").symlink_to(os.devnull)
    assert "not a regular file" in fails(1, *score, tmp_path / "null.csv")


@pytest.fixture
def read_only(tmp_path: Path, permissions_apply: None) -> Iterator[Path]:
    """A folder that may be read and not written."""
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o555)
    yield folder
    folder.chmod(0o755)


def test_a_read_only_folder(anomalo: Any, read_only: Path, tmp_path: Path) -> None:
    table, workspace = tmp_path / "t.csv", tmp_path / "w"
    as_csv(pd.DataFrame({"a": range(30), "b": ["x", "y", "z"] * 10}), table)
    fit = ("fit", table, "--as", "m", "--model", "knn", "--workspace")
    assert anomalo(*fit, workspace).code == 0
    before = tree(tmp_path)
    score = ("score", table, "--with", "m", "--workspace", workspace, "-o", read_only / "o.csv")
    for outcome in (anomalo(*score), anomalo(*fit, read_only / "w")):
        assert outcome.code == 1
        assert "Permission denied" in outcome.err
        assert outcome.err.count("\n") == 1
    assert tree(tmp_path) == before


@contextmanager
def free_space(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("verb", ["score", "impute"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_full_disk(
    fails: Any, patients: pd.DataFrame, workspace: Path, tmp_path: Path, verb: str, suffix: str
) -> None:
    long = pd.concat([patients] * 100, ignore_index=True)
    long["height"] += np.random.default_rng(1).normal(size=len(long))
    as_csv(long, tmp_path / "long.csv")
    out = tmp_path / f"out{suffix}"
    out.write_text("as it was")
    copy = shutil.copytree(workspace, tmp_path / "copy")
    with free_space(100_000):
        said = fails(1, verb, tmp_path / "long.csv", "--with", "full", "-o", out, at=copy, resumable=True)
    assert said.startswith("cannot write")
    assert out.read_text() == "as it was"


def test_a_full_disk_in_a_fit(fails: Any, patients: pd.DataFrame, tmp_path: Path) -> None:
    long = pd.concat([patients] * 60, ignore_index=True)
    long["height"] += np.random.default_rng(1).normal(size=len(long))
    as_csv(long, tmp_path / "long.csv")
    folder = tmp_path / "w"
    folder.mkdir()
    with free_space(200_000):
        said = fails(1, "fit", tmp_path / "long.csv", "--as", "m", "--model", "knn", at=folder, resumable=True)
    assert said.startswith("cannot write")


def test_columns_are_found_by_name(anomalo: Any, patients: pd.DataFrame, workspace: Path, tmp_path: Path) -> None:
    as_csv(patients, tmp_path / "as-is.csv")
    as_csv(patients[patients.columns[::-1]].assign(extra=1), tmp_path / "swapped.csv")
    for name in ("as-is", "swapped"):
        score = ("score", tmp_path / f"{name}.csv", "--with", "full", "-o", tmp_path / f"{name}.out.csv")
        assert anomalo(*score, "--workspace", workspace).code == 0
    assert (tmp_path / "as-is.out.csv").read_bytes() == (tmp_path / "swapped.out.csv").read_bytes()


def test_unseen_levels_and_new_missing_values_are_named(
    anomalo: Any, patients: pd.DataFrame, workspace: Path, tmp_path: Path
) -> None:
    frame = patients.copy()
    frame.loc[20, "colour"] = "violet"
    frame.loc[21, "smoker"] = None
    as_csv(frame, tmp_path / "new.csv")
    score = ("score", tmp_path / "new.csv", "--with", "full", "-o", tmp_path / "out.parquet")
    outcome = anomalo(*score, "--workspace", workspace)
    assert outcome.code == 0
    assert outcome.err.splitlines() == [
        "warning: column 'colour': 1 of 240 cells hold a level that is not in the training data",
        "warning: column 'smoker': 1 of 240 cells are missing, but none in the training data",
    ]
    why = pq.read_table(tmp_path / "out.parquet")["reasons"]
    assert (why[20][0].as_py()["column"], why[20][0].as_py()["observed"]) == ("colour", "violet")
    assert (why[21][0].as_py()["column"], why[21][0].as_py()["observed"]) == ("smoker", None)


def test_errors_can_be_json_lines_and_a_traceback_is_asked_for(anomalo: Any, tmp_path: Path) -> None:
    outcome = anomalo("fit", tmp_path / "absent.csv", "--as", "m", "--log-json", "--json")
    assert outcome.out == ""
    assert json.loads(outcome.err) == {"level": "error", "message": f"no such file: {tmp_path / 'absent.csv'}"}
    assert "Traceback" in anomalo("fit", tmp_path / "absent.csv", "--as", "m", "--debug").err
