"""Tables of other formats: Parquet of every encoding, Arrow, JSON lines, workbooks, standard input; and back."""

import datetime
import io
import json
import re
import sys
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from anomalo.errors import OutputError, SourceError, UsageError
from anomalo.registry.hooks import anomalo_read
from anomalo.tabular.column import read_notes
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.stdin import spooled
from anomalo.tabular.schema import infer
from anomalo.tabular.writing.writer import TableWriter

DAY, MOMENT = datetime.date(2024, 1, 31), datetime.datetime(2024, 1, 31, 5, 6, 7)


def read(path, **options):
    return pa.Table.from_batches(anomalo_read(str(path), ReadOptions(**options)))


def warnings(table):
    return read_notes(table.schema).get("warnings", [])


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary()])
def test_parquet_texts_of_every_encoding(tmp_path, encoding, kind):
    cities = ["Tromso", "Bergen", None, "Bergen"] * 20
    table = pa.table({"city": pa.array(cities, pa.string()).cast(kind), "v": [0.5] * 80})
    pq.write_table(
        table, tmp_path / "a.parquet", use_dictionary=False, column_encoding={"city": encoding, "v": "PLAIN"}
    )
    found = read(tmp_path / "a.parquet")
    assert found["city"].to_pylist() == cities
    assert infer(found).column("city").kind == "category"


@pytest.mark.parametrize(
    "values",
    [
        pa.array([b"a", b"\xff", None]),
        pa.array([b"ab", b"cd", b"ef"], pa.binary(2)),
        pa.array([1, 2, None], pa.decimal128(5, 2)),
        pa.array([datetime.time(1), None, datetime.time(3)]),
        pa.array([MOMENT, None, MOMENT], pa.timestamp("ms", "Europe/Berlin")),
        pa.array(["a", None, "b"]).dictionary_encode(),
        pa.array([[1], None, [2, 3]]),
        pa.array([1.5, None, 2.5], pa.float32()),
        pa.array([True, None, False]),
        pa.array([DAY, None, DAY]),
    ],
)
@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_typed_columns_keep_their_values(tmp_path, values, suffix):
    table = pa.table({"v": values, "n": [1, 2, 3]})
    write = pq.write_table if suffix == ".parquet" else pyarrow.feather.write_feather
    write(table, tmp_path / f"a{suffix}")
    expected = ["ab", "cd", "ef"] if values.type == pa.binary(2) else values.to_pylist()
    assert read(tmp_path / f"a{suffix}")["v"].to_pylist() == expected


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_structs_are_flat_and_names_unique(tmp_path, suffix):
    table = pa.table([[{"city": "x", "zip": 1}], [2], [3], [4]], names=["place", "a", "a", ""])
    if suffix == ".parquet":
        pq.write_table(table, tmp_path / "a.parquet")
    else:
        pyarrow.feather.write_feather(table, tmp_path / "a.arrow")
    found = read(tmp_path / f"a{suffix}")
    assert found.column_names == ["place.city", "place.zip", "a", "a_2", "column_5"]
    assert "named by position" in warnings(found)[0]


def test_arrow_streams_and_damage(tmp_path):
    path = tmp_path / "a.arrow"
    table = pa.table({"a": range(100_000)})
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)
    assert read(path).num_rows == 100_000
    pyarrow.feather.write_feather(table, path)
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"ARROW1\0\0garbage"):
        path.write_bytes(damaged)
        with pytest.raises(SourceError, match="damaged or truncated Arrow file"):
            read(path)
    path.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(SourceError, match="not an Arrow or Feather file"):
        read(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n', {"a": [1, 2], "b": ["x", "y"]}),
        ('{"a":1}\n\n{"a":2.5}', {"a": [1.0, 2.5]}),
        ('{"a":1}\n{"b":true}\n', {"a": [1, None], "b": [None, True]}),
        ('{"a":{"b":1,"c":"x"}}\n{"a":{"b":null}}\n', {"a.b": [1, None], "a.c": ["x", None]}),
        ('{"a":1}\n{"a":"n/a"}\n', {"a": ["1", "n/a"]}),
        ('{"a":[1,2]}\n{"a":[]}\n', {"a": ["[1, 2]", "[]"]}),
        ('{"a":{"b":{"c":1}}}\n{"a":{"b":{"c":2}}}\n', {"a.b": ['{"c": 1}', '{"c": 2}']}),
        ('[{"a":1},\n {"a":null}]', {"a": [1, None]}),
        ('[\n  {\n    "a": "ä"\n  }\n]\n', {"a": ["ä"]}),
        ('{"a":123456789012345678901234}\n{"a":1}\n', {"a": [123456789012345678901234.0, 1.0]}),
        ('{"a":true}\n{"a":1}\n', {"a": ["true", "1"]}),
        ('{"a":null,"b":1}\n', {"a": [None], "b": [1]}),
    ],
)
@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t.json", "t"])
def test_json_lines_and_lists(tmp_path, content, expected, name):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read(tmp_path / name).to_pydict() == expected


def test_json_dates_are_texts_to_infer_and_levels_stay(tmp_path):
    lines = [{"day": f"2024-01-{i + 1:02}", "region": ("NA", "EU")[i % 2], "x": i / 4} for i in range(28)]
    (tmp_path / "t.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    schema = infer(read(tmp_path / "t.jsonl"))
    assert schema.column("day").kind == "datetime"
    assert schema.column("region").storage == "string"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a":1}\n{"a":\n', r"line 3: not JSON: .*; expected an object on each line"),
        ('{"a":1}\n[1]\n', r"line 2: not JSON|line 2: list; expected an object"),
        ("[1, 2]", "item 1: int; expected an object"),
        ("\n", "has no rows"),
        ('{"a":\n[1]}', "line 2: not JSON|line 1: not JSON"),
    ],
)
def test_bad_json_is_one_line(tmp_path, content, message):
    (tmp_path / "t.jsonl").write_text(content)
    with pytest.raises(SourceError, match=message) as caught:
        read(tmp_path / "t.jsonl")
    assert "\n" not in str(caught.value)


def book(path, rows, at=(1, 1), merged=(), sheets=()):
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    for name in sheets:
        sheet = workbook.create_sheet(name)
    for down, row in enumerate(rows):
        for right, value in enumerate(row):
            if value is not None:
                sheet.cell(at[0] + down, at[1] + right, value)
    for area in merged:
        sheet.merge_cells(area)
    workbook.save(path)
    return path


TABLE = [["name", "n"], ["Ann", 1], ["Bob", 2], ["Cid", 3]]
EXPECTED = {"name": ["Ann", "Bob", "Cid"], "n": [1, 2, 3]}


@pytest.mark.parametrize(
    ("rows", "options", "warned"),
    [
        ({"rows": TABLE}, {}, ""),
        ({"rows": TABLE, "at": (3, 4)}, {}, ""),
        ({"rows": [["Report 2024"], [None], *TABLE]}, {}, "rows above row 3 are skipped"),
        ({"rows": [["Report 2024"], *TABLE], "merged": ["A1:B1"]}, {}, "rows above row 2 are skipped"),
        ({"rows": [*TABLE[:2], [None, None], *TABLE[2:]]}, {}, ""),
        ({"rows": TABLE, "sheets": ["two"]}, {}, "sheet 'two' is read"),
        ({"rows": TABLE, "sheets": ["two"]}, {"sheet": "two"}, ""),
        ({"rows": TABLE, "sheets": ["two"]}, {"sheet": "2"}, ""),
        ({"rows": [["x", "y"], *TABLE]}, {"header": "2"}, ""),
        ({"rows": [["name", "n"], [None, None], *TABLE[1:]], "merged": ["A1:A2", "B1:B2"]}, {"header": "2"}, ""),
    ],
)
def test_shapes_of_workbooks(tmp_path, rows, options, warned):
    table = read(book(tmp_path / "t.xlsx", **rows), **options)
    assert table.to_pydict() == EXPECTED
    assert len(warnings(table)) == bool(warned)
    assert warned in "".join(warnings(table))


def test_types_in_workbooks(tmp_path):
    row = [1, 1.5, True, DAY, MOMENT, datetime.time(3, 4), "x", 7, None]
    other = [2, 2, False, DAY, DAY, None, None, "n/a", None]
    table = read(book(tmp_path / "t.xlsx", [list("abcdefghi"), row, other]))
    assert [str(kind) for kind in table.schema.types] == [
        *("int64", "double", "bool", "date32[day]", "timestamp[us]", "time64[us]", "string", "string"),
        "null",
    ][: table.num_columns]
    assert table["h"].to_pylist() == ["7", "n/a"]
    assert read_notes(table.schema)["text_columns"] == ["g", "h"]


def test_a_cell_that_is_merged_downwards_is_in_all_its_rows(tmp_path):
    rows = [["region", "v"], ["north", 1], [None, 2], ["south", 3], [None, 4]]
    table = read(book(tmp_path / "t.xlsx", rows, at=(2, 2), merged=["B3:B4", "B5:B6"]))
    assert table["region"].to_pylist() == ["north", "north", "south", "south"]


def test_a_workbook_without_names(tmp_path):
    table = read(book(tmp_path / "t.xlsx", [[1.5, "x"], [2.5, "y"], [3.5, "x"]]))
    assert table.to_pydict() == {"column_1": [1.5, 2.5, 3.5], "column_2": ["x", "y", "x"]}
    assert "row 1 is taken for a row" in warnings(table)[0]
    assert read(tmp_path / "t.xlsx", header="none").num_rows == 3


def test_bad_workbooks_are_one_line(tmp_path):
    good = book(tmp_path / "t.xlsx", TABLE)
    with pytest.raises(UsageError, match=r"--sheet Shet: .* has no such sheet; did you mean 'Sheet'"):
        read(good, sheet="Shet")
    with pytest.raises(SourceError, match="has a header but no rows"):
        read(book(tmp_path / "h.xlsx", TABLE[:1]))
    with pytest.raises(SourceError, match="no sheet has cells"):
        read(book(tmp_path / "e.xlsx", []))
    (tmp_path / "cut.xlsx").write_bytes(good.read_bytes()[:2000])
    with pytest.raises(SourceError, match="not a workbook"):
        read(tmp_path / "cut.xlsx")
    (tmp_path / "text.xlsx").write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match="not a workbook: it is no zip archive"):
        read(tmp_path / "text.xlsx")


def test_workbooks_that_would_fill_the_memory_are_refused(tmp_path):
    far = book(tmp_path / "far.xlsx", TABLE)
    workbook = openpyxl.load_workbook(far)
    workbook.active["XFD1048576"] = 1
    workbook.save(far)
    with pytest.raises(SourceError, match="spans 17,179,869,184 cells"):
        read(far)
    bomb = book(tmp_path / "bomb.xlsx", TABLE)
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/x.xml", "w") as part:
        for _ in range(150):
            part.write(bytes(1 << 20))
    with pytest.raises(SourceError, match="bytes once it is unpacked"):
        read(bomb)


TYPED = pa.table(
    {
        "i": [1, 2, None, 2**40],
        "f": [1.5, None, 3.25, -0.1],
        "s": ["a", "=1+1", "NA", 'ä, "b"'],
        "b": [True, None, False, True],
        "d": pa.array([DAY, None, DAY, datetime.date(1999, 12, 31)]),
        "t": pa.array([MOMENT, MOMENT, None, MOMENT], pa.timestamp("us")),
    }
)


@pytest.mark.parametrize("suffix", [".csv", ".tsv.gz", ".parquet", ".feather", ".arrow", ".jsonl", ".ndjson", ".xlsx"])
def test_every_format_gives_the_same_values(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    with TableWriter(path, TYPED.schema) as writer:
        for batch in TYPED.to_batches(max_chunksize=3):
            writer.write(batch)
    found = read(path)
    assert found.column_names == TYPED.column_names
    for name, cells in zip(TYPED.column_names, TYPED.columns, strict=True):
        values = found[name]
        if pa.types.is_dictionary(values.type):
            values = pc.cast(values, pa.string())
        if values.type == pa.string() and cells.type != pa.string():
            texts = pc.replace_substring_regex(values, r"\.0+$", "")
            values = pc.if_else(pc.equal(texts, ""), None, pc.replace_substring(texts, "T", " ")).cast(cells.type)
        assert values.to_pylist() == cells.to_pylist(), name


def test_a_workbook_holds_no_formulas_and_no_more_than_a_sheet(tmp_path):
    path = tmp_path / "t.xlsx"
    with TableWriter(path) as writer:
        writer.write(pa.RecordBatch.from_pydict({"=A1": ["=1+1", "@x", "+1"]}))
    cells = [cell for row in openpyxl.load_workbook(path).active.iter_rows() for cell in row]
    assert [(cell.data_type, cell.value) for cell in cells] == [("s", "=A1"), ("s", "=1+1"), ("s", "@x"), ("s", "+1")]
    wide = pa.RecordBatch.from_pydict({f"c{i}": [1] for i in range(16_385)})
    long = pa.RecordBatch.from_pydict({"a": pa.nulls(1_048_576)})
    cell = pa.RecordBatch.from_pydict({"a": ["x" * 40_000]})
    for batch, message in ((wide, "16,385 columns"), (long, "more than 1,048,575 rows"), (cell, "40,000 characters")):
        with pytest.raises(OutputError, match=message), TableWriter(tmp_path / "no.xlsx") as writer:
            writer.write(batch)
    assert [file.name for file in tmp_path.iterdir()] == ["t.xlsx"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".feather", ".jsonl", ".xlsx"])
def test_standard_input_is_known_by_its_content(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"t{suffix}"
    with TableWriter(path) as writer:
        writer.write(pa.RecordBatch.from_pydict({"a": ["x", "y"], "b": ["1", "2"]}))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    spooled.cache_clear()
    try:
        for _ in range(2):  # it can be read again
            assert read("-").to_pydict() == {"a": ["x", "y"], "b": ["1", "2"]}
    finally:
        spooled.cache_clear()


def test_nothing_on_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    spooled.cache_clear()
    with pytest.raises(SourceError, match=re.escape("standard input is empty")):
        read("-")
