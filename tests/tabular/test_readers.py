"""Files as people have them: what is read, what is refused and how, and what is written."""

import csv
import datetime
import gzip
import io
import json
import os
import random
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalo.errors import OutputError, SourceError, UsageError
from anomalo.registry.hooks import anomalo_read
from anomalo.tabular.column import read_notes
from anomalo.tabular.reading.batches import BATCH, is_text
from anomalo.tabular.schema import infer
from anomalo.tabular.writing.writer import TableWriter, check_suffix


def read(path):
    return pa.Table.from_batches(anomalo_read(str(path)))


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture
def csv_path(tmp_path):
    return tmp_path / "table.csv"


def test_text_is_read_to_the_character(csv_path):
    table = read(written(csv_path, 'a, b ,c\n 1,?,"x, ""y""\n z"\n,NULL, \n'))
    assert table.to_pydict() == {"a": [" 1", ""], "b": ["?", "NULL"], "c": ['x, "y"\n z', " "]}
    assert all(field.type == pa.string() for field in table.schema)
    assert is_text(table.schema)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_found(csv_path, separator):
    lines = [["a", "b", "c"], ["1,5" if separator != "," else "1.5", "x y", "2"], ["3", "z", "4"]]
    content = "\n".join(separator.join(line) for line in lines)
    table = read(written(csv_path, content))
    assert table.column_names == ["a", "b", "c"]
    assert read_notes(table.schema) == {"text": True, "separator": separator}


def test_quoted_separators_do_not_mislead(csv_path):
    table = read(written(csv_path, 'name;note\n"a, b";"c, d"\n"e, f";"g, h"\n'))
    assert table.column_names == ["name", "note"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_line_ends(csv_path, newline, last):
    content = ("a,b\n1,2\n3,4" + last).replace("\n", newline)
    assert read(written(csv_path, content)).to_pydict() == {"a": ["1", "3"], "b": ["2", "4"]}


def test_one_column_keeps_its_empty_cells(csv_path):
    assert read(written(csv_path, "a\n1\n\n2\n")).to_pydict() == {"a": ["1", "", "2"]}


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: gzip.compress(text.encode()),
        lambda text: gzip.compress(text.encode("utf-8-sig")),
    ],
)
@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz", "table.data"])
def test_encodings_and_gzip_are_found_by_content(tmp_path, encode, name):
    table = read(written(tmp_path / name, encode("größe,b\n1,é\n")))
    assert table.to_pydict() == {"größe": ["1"], "b": ["é"]}


def test_batches_are_bounded_and_in_order(csv_path):
    written(csv_path, "a\n" + "".join(f"{i}\n" for i in range(BATCH * 2 + 5)))
    batches = list(anomalo_read(str(csv_path)))
    assert max(batch.num_rows for batch in batches) <= BATCH
    assert pa.Table.from_batches(batches)["a"].to_pylist() == [str(i) for i in range(BATCH * 2 + 5)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"a,b\n", "has a header but no rows"),
        (b"a,b", "has a header but no rows"),
        (b"a,b\n1,2\n3\n", "line 3: 1 fields, but the header has 2"),
        (b'a,b\n"1\n1",2\n3,4,5\n', "line 4: 3 fields, but the header has 2"),
        ("größe,b\n1,2\n3,caf".encode() + b"\xe9\n", r"is not UTF-8: byte 0xe9 at position 19, line 3.*--encoding"),
        ("ä,b\n1,".encode() + b"\xe4\xbd", "is not UTF-8: it ends inside a character"),
        (b"a,b\n1,\x00\x01\n", "not a text file"),
        (
            gzip.compress(b"a,b\n" + random.Random(0).randbytes(9_900).hex().encode(), mtime=0)[:-900],
            "damaged or truncated gzip",
        ),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:12], "damaged or truncated gzip"),
        (b"\xff\xfea\x00,", "is not UTF-16: it ends inside a character"),
    ],
)
def test_bad_text_files_are_refused_in_one_line(csv_path, content, message):
    with pytest.raises(SourceError, match=message) as caught:
        read(written(csv_path, content))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("shift", range(5))
def test_a_late_byte_that_is_not_utf8_is_located(csv_path, shift):
    start = b"a" * shift + b"a,b\n" + "1,ä\n".encode() * 50_000
    with pytest.raises(SourceError, match=f"byte 0xff at position {len(start) + 2}, line 50002"):
        read(written(csv_path, start + b"1,\xff\n"))


def test_sources_that_are_no_files(tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        anomalo_read(str(tmp_path / "absent.csv"))
    with pytest.raises(SourceError, match="holds no table"):
        anomalo_read(str(tmp_path))
    for unknown in ("sqlite:///x.db::select 1", "s3://bucket/a.csv", "lake:orders.v2"):
        assert anomalo_read(unknown) is None
    assert anomalo_read(str(written(tmp_path / "notes.docx", b"PK\x03\x04"))) is None
    assert anomalo_read(str(tmp_path / "notes.docx.gz")) is None
    with pytest.raises(SourceError, match="not a workbook"):
        anomalo_read(str(written(tmp_path / "book.xlsx", b"PK\x03\x04")))


def typed_table(rows):
    return pa.table(
        {
            "n": pa.array([i / 2 for i in range(rows)]),
            "s": pa.array([f"v{i % 7}" if i % 5 else None for i in range(rows)]),
            "when": pa.array([datetime.datetime(2020, 1, 1)] * rows, pa.timestamp("us")),
        }
    )


def test_parquet_round_trip_keeps_types(tmp_path):
    table = typed_table(BATCH + 10)
    pq.write_table(table, tmp_path / "in.dat")
    batches = list(anomalo_read(str(tmp_path / "in.dat")))
    assert [batch.num_rows for batch in batches] == [BATCH, 10]
    assert pa.types.is_dictionary(batches[0].schema.field("s").type)
    assert infer(pa.Table.from_batches(batches)).column("s").storage == "string"
    with TableWriter(tmp_path / "out.parquet", batches[0].schema) as writer:
        for batch in batches:
            writer.write(batch)
    assert pq.read_table(tmp_path / "out.parquet").equals(table)
    assert b"anomalo" not in (pq.read_schema(tmp_path / "out.parquet").metadata or {})


def test_bad_parquet_files(tmp_path):
    good = tmp_path / "good.parquet"
    pq.write_table(typed_table(5000), good)
    content = good.read_bytes()
    for name, damaged in {
        "cut": content[: len(content) // 2],
        "flipped": content[:40] + bytes(byte ^ 0xFF for byte in content[40:4000]) + content[4000:],
    }.items():
        with pytest.raises(SourceError, match="damaged or truncated Parquet"):
            read(written(tmp_path / f"{name}.parquet", damaged))
    with pytest.raises(SourceError, match="does not start with PAR1"):
        read(written(tmp_path / "text.parquet", b"a,b\n1,2\n"))
    pq.write_table(typed_table(0), good)
    with pytest.raises(SourceError, match="no rows"):
        read(good)


def test_parquet_is_streamed(tmp_path):
    rows = BATCH * 8
    pq.write_table(pa.table({f"x{i}": [float(j) for j in range(rows)] for i in range(4)}), tmp_path / "a.parquet")
    before = pa.total_allocated_bytes()
    peak = max(pa.total_allocated_bytes() - before for _ in anomalo_read(str(tmp_path / "a.parquet")))
    assert peak < rows * 4 * 8 * 2


CELLS = st.text(st.sampled_from(list("ab ,;\t|\"'\nÄ?-0")), max_size=6)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1)),
    st.sampled_from([".csv", ".csv.gz", ".tsv"]),
)
def test_what_is_written_is_read_back(tmp_path_factory, rows, suffix):
    path = tmp_path_factory.mktemp("rows") / f"a{suffix}"
    names = [f"c{i}" for i in range(len(rows[0]))]
    table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(names)})
    with TableWriter(path) as writer:
        for batch in table.to_batches(max_chunksize=3):
            writer.write(batch)
    content = gzip.decompress(path.read_bytes()) if suffix.endswith("gz") else path.read_bytes()
    expected = io.StringIO()
    csv.writer(expected, delimiter="\t" if suffix == ".tsv" else ",", lineterminator="\n").writerows([names, *rows])
    assert content.decode() == expected.getvalue()


def test_a_csv_file_goes_through_unchanged(tmp_path):
    content = 'a;b\n 1,5;"x;y"\n?;\n'
    source = written(tmp_path / "in.csv", content)
    with TableWriter(tmp_path / "out.csv", next(anomalo_read(str(source))).schema) as writer:
        for batch in anomalo_read(str(source)):
            writer.write(batch)
    assert (tmp_path / "out.csv").read_text() == content


def test_typed_values_as_text(tmp_path):
    kind = pa.list_(pa.struct([("column", pa.string()), ("contribution", pa.float64()), ("expected", pa.string())]))
    reasons = [[{"column": "ä", "contribution": 1.5, "expected": None}], []]
    batch = pa.RecordBatch.from_pydict(
        {
            "row": [0, 1],
            "score": [0.1, None],
            "alert": [True, False],
            "day": [datetime.date(2020, 1, 2), None],
            "level": pa.array(["x", "y"]).dictionary_encode(),
            "reasons": pa.array(reasons, kind),
        }
    )
    with TableWriter(tmp_path / "a.csv") as writer:
        writer.write(batch)
    with (tmp_path / "a.csv").open(newline="") as file:
        header, first, second = csv.reader(file)
    assert header == batch.schema.names
    assert first[:5] == ["0", "0.1", "true", "2020-01-02", "x"]
    assert json.loads(first[5]) == reasons[0]
    assert second == ["1", "", "false", "", "y", "[]"]


def test_output_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.csv"
    batch = pa.RecordBatch.from_pydict({"a": ["1"]})

    def stop():
        with TableWriter(path) as writer:
            writer.write(batch)
            raise KeyboardInterrupt

    for suffix in (".csv", ".parquet", ".csv.gz"):
        path = tmp_path / f"out{suffix}"
        with pytest.raises(KeyboardInterrupt):
            stop()
    assert not list(tmp_path.iterdir())
    with pytest.raises(OutputError), TableWriter(tmp_path / "absent" / "a.csv") as writer:
        writer.write(batch)
    with pytest.raises(UsageError, match=r"\.csv, \.csv\.gz, .*\.parquet"):
        TableWriter(tmp_path / "a.xls")
    assert check_suffix(tmp_path / "A.CSV.GZ") == ".csv.gz"


def test_a_table_without_rows_still_has_its_header(tmp_path):
    schema = pa.schema([("a", pa.int64()), ("b", pa.string())])
    for suffix in (".csv", ".parquet"):
        with TableWriter(tmp_path / f"a{suffix}", schema):
            pass
    assert (tmp_path / "a.csv").read_text() == "a,b\n"
    assert pq.read_schema(tmp_path / "a.parquet").names == ["a", "b"]
    assert os.listdir(tmp_path)


def test_reading_text_needs_memory_for_a_block_only(csv_path):
    written(csv_path, "a,b\n" + "some text,1234567\n" * 400_000)
    tracemalloc.start()
    before = pa.total_allocated_bytes()
    peak = max(pa.total_allocated_bytes() - before for _ in anomalo_read(str(csv_path)))
    _, traced = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak + traced < 100 << 20
