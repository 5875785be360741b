"""What columns are taken for, what the user can decide, and how cells of any source are read."""

import datetime
import json
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from anomalo.errors import SchemaError, SourceError, UsageError
from anomalo.tabular.column import write_notes
from anomalo.tabular.schema import Column, Schema, SchemaOptions, infer, parse


def text_table(separator=",", **columns):
    table = pa.table({name: pa.array(list(map(str, cells))) for name, cells in columns.items()})
    return table.replace_schema_metadata(write_notes(table.schema, {"text": True, "separator": separator}).metadata)


def column_of(cells, separator=",", **options):
    table = text_table(separator, x=cells, other=[f"{i % 3}" for i in range(len(cells))])
    return infer(table, SchemaOptions(**options)).column("x")


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([" 39", " 50", "?", "38"], "integer"),
        (["1.5", "2", "NA", "3e4"], "number"),
        (["1", "none", "3", "-", "7"], "integer"),
        (["t", "f", "?", "t"], "boolean"),
        (["Y", "n", "N", ""], "boolean"),
        (["0", "1", "1", "0"], "boolean"),
        (["+", "-", "-", "+"], "boolean"),
        (["TRUE", "FALSE", "null", "TRUE"], "boolean"),
        (["M", "F", "?", "M"], "category"),
        (["02139", "10001", "02139", "10001"], "category"),
        (["none", "low", "none", "high"], "category"),
        (["2020-01-05", "2021-12-31", "", "1999-02-28"], "datetime"),
        (["2020-01-05T10:00:00.5Z", "2021-12-31T00:00:00Z", "", ""], "datetime"),
        (["31.12.2020", "01.02.2021", "?", "15.06.2020"], "datetime"),
        (["30.02.2020", "01.02.2021", "?", "15.06.2020"], "category"),
        (["7", "7", "7", "?"], "constant"),
        (["?", "", "NA", " nan "], "empty"),
        ([str(i) for i in range(100, 130)], "identifier"),
        ([str(i * i) for i in range(30)], "integer"),
        ([f"user-{i}" for i in range(30)], "identifier"),
        ([f"a long remark number {i}" for i in range(30)], "text"),
        (["1,234", "12", "5,678,901", "3"], "number"),
    ],
)
def test_kinds_are_guessed_from_text(cells, kind):
    assert column_of(cells).kind == kind


def test_text_formats_are_remembered():
    assert column_of(["T", "F", "t", "T"]).tokens == ("F", "T")
    euro = column_of(["1,5", "1.234,25", "3,0", "4"], separator=";")
    assert (euro.kind, euro.numbers.comma, euro.numbers.thousands) == ("number", True, ".")
    assert (euro.numbers.decimals, euro.numbers.least) == (2, 0)
    plain = column_of(["1.5", "2.25", "3"]).numbers
    assert (plain.decimals, plain.least) == (2, 0)
    padded = column_of(["1.50", "2.25", "3.00"]).numbers
    assert (padded.decimals, padded.least) == (2, 2)
    assert column_of(["5.3.2020", "25.4.2021"]).date_format == ("%-d.%-m.%Y",)
    assert column_of(["2020-01-05 10:00", "2020-01-05 11:30"]).date_format == ("%Y-%m-%d %H:%M",)


def test_ambiguous_dates_are_said():
    schema = infer(text_table(x=["01/02/2020", "03/04/2020"]))
    assert schema.column("x").date_format == ("%m/%d/%Y",)
    assert "month first" in schema.warnings[0]
    assert not infer(text_table(x=["13/02/2020", "03/04/2020"])).warnings


def test_left_out_columns_are_named_with_the_reason():
    schema = infer(text_table(row=range(30), gone=[""] * 30, age=[i * 7 % 11 for i in range(30)]))
    assert [column.name for column in schema.features] == ["age"]
    assert {column.name: column.role for column in schema.columns} == {
        "row": "dropped",
        "gone": "dropped",
        "age": "feature",
    }
    row, gone = schema.warnings
    assert "'row' is left out" in row
    assert "--kind" in row
    assert "every cell is missing" in gone


def test_a_few_texts_among_numbers_are_said():
    cells = [str(i * 3 % 17) for i in range(40)] + ["broken"]
    schema = infer(text_table(x=cells))
    assert schema.column("x").kind == "integer"
    assert "1 of 41 cells cannot be read as a number, such as 'broken'" in schema.warnings[0]
    assert "--missing 'x=broken'" in schema.warnings[0]
    assert not infer(text_table(x=cells), SchemaOptions(missing=("x=broken",))).warnings


@pytest.mark.parametrize("sentinel", [-999, 9999, -1, 99999])
def test_sentinels_are_named_with_the_option_that_removes_them(sentinel):
    cells = [str(i % 60) for i in range(300)] + [str(sentinel)] * 3
    (warning,) = infer(text_table(x=cells)).warnings
    option = f"x={sentinel}"
    assert f"--missing '{option}'" in warning
    schema = infer(text_table(x=cells), SchemaOptions(missing=(option,)))
    assert not schema.warnings
    parsed = parse(schema.column("x"), pa.array([f" {sentinel}", f"{sentinel}.0", "5"]), schema.reading)
    assert parsed.to_pylist() == [None, None, 5.0]


def test_typical_values_are_no_sentinels():
    assert not infer(text_table(x=[str(900 + i % 150) for i in range(600)])).warnings
    assert not infer(text_table(x=[str(i % 60) for i in range(300)] + ["9999"])).warnings
    assert not infer(text_table(x=[str(i % 10 - 5) for i in range(300)])).warnings


def test_date_sentinels():
    days = [str(datetime.date(2020, 1, 1) + datetime.timedelta(days=i)) for i in range(50)]
    (warning,) = infer(text_table(x=days + ["1900-01-01"] * 2)).warnings
    assert "--missing 'x=1900-01-01'" in warning
    assert not infer(text_table(x=days + ["1900-01-01"] * 2), SchemaOptions(missing=("x=1900-01-01",))).warnings


def test_types_decide_where_there_are_types():
    frame = pd.DataFrame(
        {
            "whole": [1, 2, 3, 4],
            "digits": ["1", "2", "3", "1"],
            "real": [0.5, None, 1.5, 2.5],
            "truth": [True, False, True, True],
            "when": pd.to_datetime(["2020-01-01", None, "2020-01-03", "2020-01-04"]),
            "level": pd.Categorical(["a", "b", None, "a"]),
            "same": [7, 7, 7, 7],
            "gone": [None, None, None, None],
        }
    )
    table = pa.Table.from_pandas(frame).append_column("nested", pa.array([[1], [2], [], None]))
    schema = infer(table)
    assert {column.name: column.kind for column in schema.columns} == {
        "whole": "integer",
        "digits": "category",
        "real": "number",
        "truth": "boolean",
        "when": "datetime",
        "level": "category",
        "same": "constant",
        "gone": "empty",
        "nested": "text",
    }
    assert schema.column("level").storage.startswith("dictionary<")


def test_consecutive_integers_of_a_typed_table_are_numbers():
    assert infer(pa.table({"x": list(range(50))})).column("x").kind == "integer"


def test_roles():
    table = text_table(key=["a", "b", "c"], y=["0", "1", "0"], junk=["1", "2", "9"], x=["3", "5", "4"])
    schema = infer(table, SchemaOptions(id="key", label="y", drop=("junk",), kinds={"x": "category"}))
    assert (schema.id, schema.label) == ("key", "y")
    assert [(column.name, column.kind) for column in schema.features] == [("x", "category")]
    schema.check(["other", "x"])
    assert not schema.warnings


def test_unknown_columns_and_kinds():
    table = text_table(weight=["1", "2"], height=["3", "4"])
    items = ({"missing": ("wieght=0",)}, {"keep": ("wieght=0",)})
    for options in ({"drop": ("wieght",)}, {"id": "wieght"}, {"label": "wieght"}, *items):
        with pytest.raises(UsageError, match="did you mean 'weight'"):
            infer(table, SchemaOptions(**options))
    with pytest.raises(UsageError, match="number, integer, boolean, category"):
        SchemaOptions(kinds={"weight": "float"})
    with pytest.raises(UsageError, match="a boolean needs two"):
        infer(text_table(x=["a", "b", "c"]), SchemaOptions(kinds={"x": "boolean"}))


def test_forced_kinds():
    cells = ["010", "020", "bad"]
    with pytest.raises(SchemaError, match="'bad' in row 0"):
        infer(text_table(x=["bad", "worse", "1"]), SchemaOptions(kinds={"x": "datetime"}))
    column = infer(text_table(x=cells), SchemaOptions(kinds={"x": "number"}, missing=("bad",))).column("x")
    assert parse(column, pa.array(["010"])).to_pylist() == [10.0]
    boolean = infer(text_table(x=["good", "bad"]), SchemaOptions(kinds={"x": "boolean"})).column("x")
    assert boolean.tokens == ("bad", "good")


def test_tables_that_cannot_be_learned_from():
    with pytest.raises(SourceError, match="several columns named 'a'"):
        infer(pa.table([[1], [2]], names=["a", "a"]))
    with pytest.raises(SourceError, match="no rows"):
        infer(pa.table({"a": pa.array([], pa.int64())}))
    with pytest.raises(SourceError, match=r"no column to learn from.*'a' is left out: every cell is missing"):
        infer(text_table(a=["", "?"]))


@pytest.mark.parametrize("cells", [["1", "inf", "2"], [1.0, math.inf, 2.0], ["1", "1e999", "3"]])
def test_infinite_numbers(cells):
    table = text_table(x=cells) if isinstance(cells[0], str) else pa.table({"x": cells})
    with pytest.raises(SourceError, match=r"'x' holds an infinite number in row 1.*--inf missing"):
        infer(table)
    schema = infer(table, SchemaOptions(infinite="missing"))
    parsed = parse(schema.column("x"), table["x"].combine_chunks(), schema.reading)
    assert parsed.to_pylist()[1] is None


def test_absent_columns_are_all_named():
    schema = infer(text_table(a=["1", "2"], b=["3", "4"], c=["5", "7"]))
    schema.check(["c", "extra", "b", "a"])
    with pytest.raises(SchemaError, match="'a', 'c'") as caught:
        schema.check(["b"])
    assert caught.value.exit_code == 4


def test_json_round_trip():
    table = text_table(key=["a", "b"], x=["1,5", "2"], when=["2020-01-01", "2020-01-02"], flag=["y", "n"])
    schema = infer(table, SchemaOptions(id="key", missing=("x=9", "none"), infinite="missing"))
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


def test_options_from_toml(tmp_path):
    path = tmp_path / "schema.toml"
    lists = 'drop = ["a"]\nmissing = ["x=-9"]\nkeep = ["x=NA"]\n'
    path.write_text(f'id = "key"\n{lists}infinite = "missing"\n[columns]\nx = "number"\n')
    below = SchemaOptions.from_toml(path)
    merged = SchemaOptions(id="row", drop=("b",), kinds={"x": "category"}).merged(below)
    assert merged == SchemaOptions({"x": "category"}, ("a", "b"), "row", None, ("x=-9",), "missing", ("x=NA",))
    for text, message in [
        ("nonsense = 1", "'nonsense'"),
        ("drop = 1", "a list of texts"),
        ("id = [", "is not TOML"),
        ('[columns]\nx = "float"', "cannot be of kind"),
    ]:
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            SchemaOptions.from_toml(path)
    with pytest.raises(SourceError, match="No such file"):
        SchemaOptions.from_toml(tmp_path / "absent.toml")


def test_a_type_that_is_no_number_and_a_date_that_is_none_are_named():
    column = Column("age", "integer")
    with pytest.raises(SchemaError, match=r"timestamp.*expected an integer"):
        parse(column, pa.array([datetime.datetime(2020, 1, 1)]))
    with pytest.raises(SchemaError, match="where a datetime is expected"):
        Schema((Column("when", "datetime", date_format=("%Y-%m-%d",)),), 1).parse(
            pa.table({"when": ["2020-02-30"] * 2})
        )


def test_text_and_types_meet():
    number, flag = Column("x", "number"), Column("f", "boolean", tokens=("f", "t"))
    assert parse(number, pa.array([" 1.5", "?", "+2"])).to_pylist() == [1.5, None, 2.0]
    assert parse(number, pa.array([1, None, 2])).to_pylist() == [1.0, None, 2.0]
    assert parse(number, pa.array([2**63 - 1, -(2**63)])).to_pylist() == [2.0**63, -(2.0**63)]
    assert parse(number, pa.array(["1", None, "?"]).dictionary_encode()).to_pylist() == [1.0, None, None]
    for cells in ([True, False, None], [1, 0, None], [1.0, 0.0, None], ["T", " f ", ""], ["yes", "no", "?"]):
        assert parse(flag, pa.array(cells)).to_pylist() == ["t", "f", None]
    category = Column("c", "category")
    for cells in ([1, 2, None], [1.0, 2.0, float("nan")], [" 1", "2 ", "NA"]):
        assert parse(category, pa.array(cells)).to_pylist() == ["1", "2", None]
    constant = Column("k", "constant")
    for cells in ([1], [1.0], ["1.0"], ["1"], [" 1.00"]):
        assert parse(constant, pa.array(cells)).to_pylist() == ["1"]


def test_datetimes_meet():
    moment = datetime.datetime(2020, 3, 1, 12, 30, tzinfo=datetime.UTC)
    column = Column("when", "datetime", date_format=("%d.%m.%Y %H:%M",))
    for array in (
        pa.array(["01.03.2020 12:30"]),
        pa.array(["2020-03-01T12:30:00Z"]),
        pa.array(["2020-03-01 14:30+02:00"]),
        pa.array([moment.replace(tzinfo=None)], pa.timestamp("ms")),
        pa.array([moment], pa.timestamp("ns", "Europe/Berlin")),
    ):
        assert parse(column, array).to_pylist() == [moment.timestamp()]
    assert parse(column, pa.array([datetime.date(1970, 1, 3)])).to_pylist() == [172_800.0]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1))
def test_numbers_survive_being_text(values):
    texts = pa.array([None if value is None else repr(value) for value in values], pa.string())
    assert parse(Column("x", "number"), texts).to_pylist() == values


@settings(deadline=None, max_examples=60)
@given(st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)))
def test_iso_datetimes_agree_with_python(moment):
    text = moment.isoformat(sep=" ")
    expected = (moment - datetime.datetime(1970, 1, 1)).total_seconds()
    assert np.isclose(parse(Column("x", "datetime"), pa.array([text]))[0].as_py(), expected, rtol=0, atol=1e-5)


NAMES = st.text(st.characters(exclude_categories=["Cs"]))
KINDS = st.sampled_from(["number", "integer", "boolean", "category", "datetime", "identifier", "text"])
OPTIONS = st.builds(
    SchemaOptions,
    kinds=st.dictionaries(NAMES, KINDS),
    drop=st.lists(NAMES).map(tuple),
    id=st.none() | NAMES,
    label=st.none() | NAMES,
    missing=st.lists(NAMES).map(tuple),
    infinite=st.sampled_from(["error", "missing"]),
    keep=st.lists(NAMES).map(tuple),
)


@given(OPTIONS)
@example(SchemaOptions({'a "b" = c\\': "text", "größe\n\x7f\x00": "number", "[x]": "category", "😀.y": "integer"}))
@example(SchemaOptions(drop=("'", '"""'), id="#", label="=", missing=("a=b", ""), infinite="missing"))
def test_options_come_back_from_toml(tmp_path_factory: pytest.TempPathFactory, options: SchemaOptions) -> None:
    path = tmp_path_factory.getbasetemp() / "options.toml"
    path.write_text(options.to_toml(), encoding="utf-8")
    assert SchemaOptions.from_toml(path) == options
