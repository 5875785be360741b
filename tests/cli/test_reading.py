"""Options of reading on the command line: they reach the reader, are kept with the model and the run, and warn."""

import json

import openpyxl
import pytest

from anomalo.errors import UsageError
from anomalo.tabular.read_options import ReadOptions

ROWS = "".join(f"{city},{value}\n" for value in range(30) for city in ("München", "Köln"))


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "cities.csv"
    path.write_bytes(f"made by hand\nfor a test\ncity,v\n{ROWS}".encode("cp1252"))
    return path


def test_options_reach_the_reader_and_are_kept(anomalo, source, tmp_path):
    options = ("--encoding", "cp1252", "--header", "3", "--workspace", tmp_path / "w", "--json")
    fitted = anomalo("fit", source, "--as", "m", "--model", "mode", "--for", "impute", *options)
    assert fitted.code == 0, fitted.err
    assert json.loads(fitted.out)["summary"]["reading"] == {"encoding": "cp1252", "header": "3"}
    filled = anomalo("impute", source, "--with", "m", "-o", tmp_path / "out.csv", *options)
    assert filled.code == 0, filled.err
    assert json.loads(filled.out)["summary"]["reading"] == {"encoding": "cp1252", "header": "3"}
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == f"city,v\n{ROWS}"


@pytest.mark.parametrize("verb", ["fit", "impute"])
def test_what_is_noticed_is_said_by_every_verb(anomalo, source, tmp_path, verb):
    common = ("--workspace", tmp_path / "w")
    said = anomalo("fit", source, "--as", "m", "--model", "mode", "--for", "impute", *common).err
    if verb == "impute":
        said = anomalo("impute", source, "--with", "m", *common).err
    assert said.count("is read as cp1252; give --encoding to overrule") == 1
    assert said.count("2 lines before the table are skipped") == 1


def test_a_sheet_is_chosen_and_a_wrong_option_is_one_line(anomalo, tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["x"])
    for value in range(40):
        book.active.append([value % 7])
    book.create_sheet("notes").append(["see the other sheet"])
    book.save(tmp_path / "t.xlsx")
    fit = ("fit", tmp_path / "t.xlsx", "--as", "m", "--model", "mode", "--for", "impute", "--workspace", tmp_path / "w")
    assert anomalo(*fit, "--sheet", "1").code == 0
    for option, value in (("--sheet", "3"), ("--sheet", "Notes"), ("--header", "x"), ("--encoding", "x")):
        outcome = anomalo(*fit, option, value)
        assert outcome.code == UsageError.exit_code
        assert outcome.err.startswith("error: ")
        assert outcome.err.count("\n") == 1


def test_options_survive_as_json():
    options = ReadOptions("cp1252", "none", "2")
    assert ReadOptions.from_json(options.to_json()) == options
    assert ReadOptions.from_json(None) == ReadOptions()
    assert ReadOptions().to_json() == {}
