"""Text tables as people have them: encodings, names, headers, lines before the table, separators, ragged ends."""

import bz2
import gzip
import logging
import lzma
import tempfile
import tracemalloc
import zipfile

import pyarrow as pa
import pytest

from anomalo.errors import SourceError, UsageError
from anomalo.registry.hooks import anomalo_read
from anomalo.tabular.column import read_notes
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.schema import infer
from anomalo.tabular.text.header import names_or_data
from anomalo.tabular.writing.writer import TableWriter

GERMAN = "city,v\nMünchen,4\nKöln,3\nGroßstadt,1\n"
FRENCH = "nom,ville\nHélène,Orléans\nFrançois,Besançon\nZoë,Nîmes\n"
SPANISH = "nombre,año\nPeña,3\nMuñoz,4\nGarcía,5\n"
QUOTES = "city,note\nParis,“quoted”\nRome,it’s 5 €\nBonn,a – b\n"  # noqa: RUF001
POLISH = "imię,miasto\nPaweł,Łódź\nMałgorzata,Kraków\nŚwiętosław,Gdańsk\n"
TURKISH = "ad,şehir\nİsmail,İstanbul\nAyşe,Eskişehir\nGül,Ağrı\n"  # noqa: RUF001
RUSSIAN = "имя,город\nИван,Москва\nМария,Санкт-Петербург\n"  # noqa: RUF001
GREEK = "όνομα,πόλη\nΓιώργος,Αθήνα\nΜαρία,Θεσσαλονίκη\n"  # noqa: RUF001
JAPANESE = "名前,都市\n田中,東京\n鈴木さん,大阪\nカタカナ,京都\n"
CHINESE = "姓名,城市\n张伟,北京\n李娜,上海\n"
KOREAN = "이름,도시\n김철수,서울\n이영희,부산\n"


@pytest.fixture
def read(tmp_path):
    def found(content, name="table.csv", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return pa.Table.from_batches(anomalo_read(str(path), ReadOptions(**options)))

    return found


def rows(text):
    header, *lines = [line.split(",") for line in text.splitlines()]
    return dict(zip(header, map(list, zip(*lines, strict=True)), strict=True))


def warnings(table):
    return read_notes(table.schema).get("warnings", [])


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *[(text, "cp1252") for text in (GERMAN, FRENCH, SPANISH, QUOTES)],
        *[(text, "latin-1") for text in (GERMAN, FRENCH, SPANISH)],
        *[(text, "mac_roman") for text in (GERMAN, FRENCH, SPANISH, QUOTES)],
        (GERMAN, "cp850"),
        (POLISH, "cp1250"),
        (POLISH, "iso8859_2"),
        (TURKISH, "cp1254"),
        *[(RUSSIAN, encoding) for encoding in ("cp1251", "koi8_r", "utf-16-le", "utf-16-be")],
        (GREEK, "cp1253"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (CHINESE, "gb18030"),
        (KOREAN, "cp949"),
        ("a,b\n1,café\n2,x\n", "cp1252"),
        ("a,b\n1,5 °C\n2,6 °C\n", "cp1252"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_encodings_are_recognised_and_said(read, text, encoding, pack):
    table = read(pack(text.encode(encoding)))
    assert table.to_pydict() == rows(text)
    (said,) = warnings(table)
    assert "is read as" in said
    assert "give --encoding to overrule" in said


def test_windows_is_preferred_where_the_text_is_the_same(read):
    assert "is read as cp1252;" in warnings(read(GERMAN.encode("latin-1")))[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_that_say_what_they_are_need_no_warning(read, encoding):
    table = read(GERMAN.encode(encoding))
    assert table.to_pydict() == rows(GERMAN)
    assert warnings(table) == []


def test_a_late_byte_decides_the_encoding(read):
    table = read(b"a,b\n" + b"1,xxxx\n" * 300_000 + "2,café\n".encode("cp1252"))
    assert table.num_rows == 300_001
    assert table["b"][-1].as_py() == "café"
    assert "cp1252" in warnings(table)[0]


def test_the_encoding_that_is_given_overrules(read):
    assert read("a,b\n1,и\n2,з\n".encode("cp1251"), encoding="cp1251").to_pydict()["b"] == ["и", "з"]
    assert read(GERMAN.encode("utf-8-sig"), encoding="utf-8").column_names == ["city", "v"]
    with pytest.raises(SourceError, match=r"is not UTF-8: byte 0xe9 at position 13, line 3"):
        read("a,b\n1,2\n3,café\n".encode("cp1252"), encoding="utf-8")
    with pytest.raises(SourceError, match=r"is not cp1252: byte 0x81 at position 6, line 2; give another"):
        read(b"a,b\n1,\x81\n", encoding="cp1252")
    for name in ("klingon", "rot13", "base64"):
        with pytest.raises(UsageError, match=f"encoding '{name}' is not known; expected a name such as utf-8"):
            ReadOptions(encoding=name)


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_utf_16_that_is_cut_inside_a_character_is_one_line(read, cut):
    text = "a,b\nü,\U0001f600".encode("utf-16")
    with pytest.raises(SourceError, match="is not UTF-16: it ends inside a character"):
        read(text[:-cut])


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (",shop,v,", ["column_1", "shop", "v", "column_4"]),
        ("x,x,x,x", ["x", "x_2", "x_3", "x_4"]),
        ("x,x,x_2,y", ["x", "x_3", "x_2", "y"]),
        ("a, a ,b,", ["a", "a_2", "b", "column_4"]),
        (",,,column_2", ["column_1", "column_2_", "column_3", "column_2"]),
    ],
)
def test_columns_are_named_by_position(read, header, names):
    table = read(f"{header}\n0,A,4,x\n1,B,7,y\n")
    assert table.column_names == names
    (said,) = warnings(table)
    assert "columns are named by position" in said


def test_the_warning_lists_the_first_columns_only(read):
    (said,) = warnings(read("," * 40 + "a\n" + "," * 40 + "1\n"))
    assert "and 35 more" in said
    assert "\n" not in said


def test_the_header_of_the_file_is_written_back(read, tmp_path):
    content = ",x,x,\n0,1,2,\n1,3,4,\n"
    table = read(content)
    with TableWriter(tmp_path / "out.csv", table.schema) as writer:
        for batch in table.to_batches():
            writer.write(batch)
    assert (tmp_path / "out.csv").read_text() == content


def test_warnings_of_reading_come_first_in_the_schema(read):
    table = read(",x\n" + "".join(f"{i},{i % 7}\n" for i in range(40)))
    assert infer(table).warnings[0] == warnings(table)[0]


@pytest.mark.parametrize(
    ("first", "below", "expected"),
    [
        (["a", "b"], [["1", "2"]], "names"),
        (["5.1", "3.5", "setosa"], [["4.9", "3.0", "setosa"]], "data"),
        (["39", "State-gov", "77516"], [["50", "Private", "83311"], ["38", "Private", "215646"]], "data"),
        (["2024-01-01", "x"], [["2024-01-02", "y"]], "data"),
        (["2019", "2020", "2021"], [["5", "6", "7"]], "unknown"),
        (["city", "2000", "2010"], [["Bonn", "5", "6"]], "unknown"),
        (["0", "1", "2"], [["5", "6", "7"]], "unknown"),
        (["7", "3", "2"], [["5", "6", "7"]], "data"),
        (["name", "city"], [["Ann", "Bonn"]], "unknown"),
        (["1", "note"], [["2", "3"]], "names"),
        (["?", "2,5"], [["x", "3,5"]], "data"),
    ],
)
def test_what_the_first_row_is(first, below, expected):
    assert names_or_data(first, below) == expected


def test_a_table_without_names_is_noticed_or_said(read):
    table = read("5.1,3.5,setosa\n4.9,3.0,setosa\n4.7,3.2,virginica\n")
    assert table.column_names == ["column_1", "column_2", "column_3"]
    assert table.num_rows == 3
    assert "line 1 is taken for a row" in warnings(table)[0]
    assert read("5.1,3.5\n4.9,3.0\n", header="1").column_names == ["5.1", "3.5"]
    assert read("x,y\nz,w\n", header="none").to_pydict() == {"column_1": ["x", "z"], "column_2": ["y", "w"]}
    assert read("junk\nmore,junk,here\na,b\n1,2\n", header="3").to_pydict() == {"a": ["1"], "b": ["2"]}
    with pytest.raises(UsageError, match=r"--header 9: .* has no such line"):
        read("a,b\n1,2\n", header="9")
    for wrong in ("0", "-1", "first", "1.5"):
        with pytest.raises(UsageError, match="expected none, or the number of a line"):
            ReadOptions(header=wrong)


NAMED = {"name": ["Ann", "Bob", "Cid"], "age": ["31", "44", "7"]}


@pytest.mark.parametrize(
    ("before", "skipped"),
    [
        ("Report 2024\n", 1),
        ("Report 2024\n\n", 1),
        ("\n\n  \n", 0),
        ("# made by x\n# on y\n", 2),
        ("#\n", 1),
        ("Report\nof the year\n\n", 2),
        ("Report 2024,\n", 0),
    ],
)
def test_lines_before_the_table_are_skipped(read, before, skipped):
    if before == "Report 2024,\n":  # of two columns, this may be a row
        with pytest.raises(AssertionError):
            assert read(f"{before}name,age\nAnn,31\nBob,44\nCid,7\n").to_pydict() == NAMED
        return
    table = read(f"{before}name,age\nAnn,31\nBob,44\nCid,7\n")
    assert table.to_pydict() == NAMED
    said = warnings(table)
    assert len(said) == (skipped > 0)
    assert not said or f"{skipped} line" in said[0]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Report,,\nname,city,age\nAnn,Bonn,31\nBob,Rom,44\nCid,Ulm,7\n", ["name", "city", "age"]),
        ("##a\n##b\n#chrom\tpos\nx\t1\ny\t2\n", ["#chrom", "pos"]),
        ("name\nSmith, John\nDoe, Jane\nRoe, Ann\n", ["name"]),
        ("price\n1,5\n2,7\n3,8\n", ["price"]),
        ("note\nHello\nwell, then\nso, it, goes\n", ["note"]),
        ("#tag\n#a\n#b\n", ["#tag"]),
        ("a,b\n# 5,6\n7,8\n", ["a", "b"]),
    ],
)
def test_what_is_no_line_before_a_table(read, content, expected):
    assert read(content).column_names == expected


def test_comments_inside_a_table_are_skipped_and_counted(read):
    table = read("name,age\nAnn,31\n# checked\nBob,44\n# end\nCid,7\n")
    assert table.to_pydict() == NAMED
    assert "2 comment lines skipped" in warnings(table)[0]


@pytest.mark.parametrize(
    "content",
    [
        "name^age\nAnn^31\nBob^44\nCid^7\n",
        "name age\nAnn 31\nBob 44\nCid 7\n",
        "name   age\nAnn     31\nBob     44\nCid      7\n",
        "  name age\n   Ann  31\n   Bob  44\n   Cid   7\n",
        'name age\n"Ann" 31\nBob 44\nCid 7 \n',
        "name|age\nAnn|31\nBob|44\nCid|7\n",
    ],
)
def test_more_separators(read, content):
    assert read(content, "table.txt").to_pydict() == NAMED


@pytest.mark.parametrize(
    "sentences",
    [
        "comment\nthis is a test\nso it goes on\nnot a table\nreally it is not\n",
        "one two three\nthis is a\nso it goes\nnot a table\n",
        "city\nNew York\nSan Francisco\nLos Angeles\n",
        "first name\nAnn Lee\nBob Roe\nCid Fox\n",
    ],
)
def test_sentences_are_one_column(read, sentences):
    assert read(sentences, "table.txt").num_columns == 1


@pytest.mark.parametrize(
    ("content", "warned"),
    [
        ("name,age\nAnn,31,\nBob,44,\nCid,7,\n", "every row ends with a separator more than the header"),
        ("name,age,\nAnn,31\nBob,44\nCid,7\n", ""),
        ("name,age\nAnn,31\nBob,44,\nCid,7,,\n", "dropped in 2 rows, first in line 3"),
        ("name,age\nAnn,31\n\nBob,44, \nCid,7\n", "dropped in 1 row, first in line 4"),
        ("name;age\nAnn;31\nBob;44;\nCid;7\n", "dropped in 1 row"),
    ],
)
def test_ragged_ends_are_read(read, content, warned):
    table = read(content)
    assert table.to_pydict() == NAMED
    assert warned in "".join(warnings(table))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n3,4,x\n", "line 3: 3 fields, but the header has 2"),
        ("a,b,c\n1,2,3\n4,5\n", "line 3: 2 fields, but the header has 3"),
        ("a,b\n1,2,3\n4,5,6\n", "line 2: 3 fields, but the header has 2"),
        ("# x\na,b\n1,2\n3\n", "line 4: 1 fields"),
        ("1.5,b\n2.5,c\n3\n", "line 3: 1 fields, but the table has 2"),
    ],
)
def test_other_ragged_rows_are_an_error_that_names_the_line(read, content, message):
    with pytest.raises(SourceError, match=message):
        read(content)


def test_a_late_ragged_end_is_read_and_logged(read, caplog):
    count = 1_500_000  # more than one block
    with caplog.at_level(logging.WARNING, "anomalo"):
        table = read(b"a,b\n" + b"1,xxxx\n" * count + b"2,c,\n")
    assert table.num_rows == count + 1
    assert table["b"][-1].as_py() == "c"
    assert "dropped in 1 row" in caplog.text


@pytest.mark.parametrize("content", ["a,b\n1,2\n3,4,\n", GERMAN.encode("cp1252"), "a b\n1 2\n3 4\n5 6\n"])
@pytest.mark.parametrize("whole", [True, False])
def test_no_temporary_file_is_left(tmp_path, monkeypatch, content, whole):
    path, temporary = tmp_path / "t.csv", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    batches = anomalo_read(str(path))
    next(batches)
    if whole:
        list(batches)
    batches.close()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "pack"),
    [("t.csv.gz", gzip.compress), ("t.csv.bz2", bz2.compress), ("t.csv.xz", lzma.compress)],
)
def test_packed_text(read, name, pack):
    assert read(pack(GERMAN.encode()), name).to_pydict() == rows(GERMAN)
    with pytest.raises(SourceError, match="damaged or truncated"):
        read(pack(GERMAN.encode() * 99)[:-9], name)


def test_zstandard_and_zip(read, tmp_path):
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(GERMAN.encode())
    assert read(packed.getvalue().to_pybytes(), "t.csv.zst").to_pydict() == rows(GERMAN)
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("inside/t.csv", GERMAN)
        archive.writestr("__MACOSX/t.csv", "x")
    assert pa.Table.from_batches(anomalo_read(str(tmp_path / "t.zip"))).to_pydict() == rows(GERMAN)
    with zipfile.ZipFile(tmp_path / "t.csv.zip", "w") as archive:
        archive.writestr("a.csv", GERMAN)
        archive.writestr("b.csv", GERMAN)
    with pytest.raises(SourceError, match="holds 2 files; expected a zip archive with exactly one table"):
        pa.Table.from_batches(anomalo_read(str(tmp_path / "t.csv.zip")))


def test_huge_cells_and_lines_need_bounded_memory(read):
    tracemalloc.start()
    try:
        table = read(b"a,b\n1,2\n3," + b"x" * (10 << 20) + b"\n5,6\n")
        assert len(table["b"][1].as_py()) == 10 << 20
        with pytest.raises(SourceError, match="line 2: longer than"):
            read(b"a,b\n1," + b"1" * (60 << 20) + b"\n")
        with pytest.raises(SourceError, match="line 1: longer than"):
            read(b"1" * (60 << 20))
        assert tracemalloc.get_traced_memory()[1] < 512 << 20
    finally:
        tracemalloc.stop()


def test_thousands_of_columns_with_a_header_longer_than_the_head(read):
    names = [f"a_rather_long_name_of_column_{i}" for i in range(5_000)]
    table = read(",".join(names) + "\n" + ",".join(["1.5"] * 5_000) + "\n")
    assert table.column_names == names
    assert warnings(table) == []
