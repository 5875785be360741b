"""Numbers with units, currencies, separators and marks: read, and written back as they were."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalo.errors import SchemaError
from anomalo.tabular.column import Column, SchemaOptions, write_notes
from anomalo.tabular.parsing import measured, numbers
from anomalo.tabular.schema import Schema, infer
from anomalo.tabular.understanding.number_guess import guess_style
from anomalo.tabular.understanding.number_parts import to_floats
from anomalo.tabular.understanding.number_style import NumberStyle, read_styled, write

NBSP, THIN, MINUS, QUOTE = "\u00a0", "\u202f", "\u2212", "\u2019"


def schema_of(cells: Sequence[str], name: str = "x", separator: str = ",", **options: object) -> Schema:
    table = pa.table({name: list(cells), "other": [f"{row % 3}" for row in range(len(cells))]})
    notes = write_notes(table.schema, {"text": True, "separator": separator})
    return infer(table.replace_schema_metadata(notes.metadata), SchemaOptions(**options))  # type: ignore[arg-type]


def column_of(cells: Sequence[str], **options: object) -> Column:
    return schema_of(cells, **options).column("x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["12.5%", "3.0%", "100.0%"], [12.5, 3.0, 100.0]),
        (["12.5 %", "3.0 %", "100.0 %"], [12.5, 3.0, 100.0]),
        (["12,5 %", "3,0 %", "100,0 %"], [12.5, 3.0, 100.0]),
        (["$1,234.50", "$5.00", "-$3.25"], [1234.5, 5.0, -3.25]),
        (["$1,234", "$5", "$-3"], [1234, 5, -3]),
        (["€ 5", "€ 17", "€ 20"], [5, 17, 20]),
        (["5 EUR", "17 EUR", "20 EUR"], [5, 17, 20]),
        (["1.234,50 €", "17,00 €", "20,25 €"], [1234.5, 17.0, 20.25]),
        (["USD 5", "USD 7", "USD -8"], [5, 7, -8]),
        (["70 kg", "81 kg", "65 kg"], [70, 81, 65]),
        (["12.3 km/h", "50.0 km/h", "7.5 km/h"], [12.3, 50.0, 7.5]),
        (["5°C", "-7°C", "20°C"], [5, -7, 20]),
        (["12 m2", "20 m2", "35 m2"], [12, 20, 35]),
        (["1,234,567", "12", "5,678"], [1234567, 12, 5678]),
        (["1.234.567,5", "12,5", "5.678,5"], [1234567.5, 12.5, 5678.5]),
        (["1 234 567", "12", "5 678"], [1234567, 12, 5678]),
        ([f"1{NBSP}234", "12", f"5{NBSP}678"], [1234, 12, 5678]),
        ([f"1{THIN}234,5", "12,5", f"5{THIN}678,5"], [1234.5, 12.5, 5678.5]),
        (["1'234.50", "12.00", "5'678.25"], [1234.5, 12.0, 5678.25]),
        ([f"1{QUOTE}234", "12", f"5{QUOTE}678"], [1234, 12, 5678]),
        (["(1,234)", "12", "5,678"], [-1234, 12, 5678]),
        (["($1,234.50)", "$12.00", "$5.25"], [-1234.5, 12.0, 5.25]),
        (["12-", "7", "9"], [-12, 7, 9]),
        (["1.2k", "3.4k", "12.5k"], [1200, 3400, 12500]),
        (["1.2k", "3.5M", "2.5bn"], [1200, 3.5e6, 2.5e9]),
        (["$1.2M", "$3.5M", "$20.1M"], [1.2e6, 3.5e6, 20.1e6]),
        (["1.5 M€", "3.5 M€", "20.1 M€"], [1.5e6, 3.5e6, 20.1e6]),
        ([f"{MINUS}5.5", "3.5", "7.5"], [-5.5, 3.5, 7.5]),
        (["+5.5", "+3.5", "-7.5"], [5.5, 3.5, -7.5]),
        (["1.5e-07", "2.5e-05", "3e-06"], [1.5e-7, 2.5e-5, 3e-6]),
    ],
)
def test_numbers_are_read_and_written_back(cells: list[str], values: list[float]) -> None:
    column = column_of(cells)
    assert column.kind == "number"
    read = numbers(column, pa.array(cells))
    assert np.allclose(read, values, rtol=1e-14)
    assert write(read, column.numbers) == cells


def test_what_is_no_number() -> None:
    for cells in (
        ["A12", "B7", "A3"],
        ["5kg", "7 lb", "3 oz"],
        ["1 23", "45 6", "7 89"],
        ["1st", "2nd", "3rd"],
        ["10-20", "20-30", "30-40"],
        ["<5", ">5", "<10"],
        ["1.2.3", "1.2.4", "2.0.0"],
        ["+5-", "+6-", "+7-"],
        ["(5", "(6", "(7"],
        ["$5", "€6", "£7"],
    ):
        assert column_of(cells * 3).kind == "category", cells


def test_bounds_are_the_number_and_are_said() -> None:
    schema = schema_of(["0.5", "1.5", "2.5", "3.5"] * 5 + ["<0.5", ">100", "\u22643"])
    column = schema.column("x")
    assert column.kind == "number"
    assert numbers(column, pa.array(["<0.5", ">100", "\u22643", "2"])).tolist() == [0.5, 100.0, 3.0, 2.0]
    assert any("3 cells such as '<0.5' are bounds" in warning for warning in schema.warnings)


def test_one_bad_cell_leaves_a_column_of_numbers() -> None:
    cells = [f"{50 + row * 7 % 40 / 3:.3f}" for row in range(199)]
    schema = schema_of([*cells[:12], "#REF!", *cells[12:]])
    assert schema.column("x").kind == "number"
    assert schema.column("x").why == "199 of 200 texts are numbers"
    assert schema.warnings == (
        "column 'x': 1 of 200 cells cannot be read as a number, such as '#REF!'; they count as unreadable cells "
        "(--missing 'x=#REF!' makes them missing)",
    )
    assert schema_of(["1", "2", "x"]).column("x").kind == "category"
    assert schema_of([str(row % 7) for row in range(88)] + ["x"] * 12).column("x").kind == "category"


def test_other_currencies_are_not_silently_one_number() -> None:
    few = schema_of([f"${row % 9}" for row in range(95)] + ["€7"] * 5)
    assert few.column("x").kind == "number"
    assert "5 of 100 cells cannot be read as a number, such as '€7'" in few.warnings[0]
    many = schema_of([f"${row % 9}" for row in range(60)] + [f"€{row % 9}" for row in range(40)])
    assert many.column("x").kind == "category"
    assert "'$' (60.0 %) and '€' (40.0 %)" in many.warnings[0]


def test_numbers_with_and_without_a_unit_are_said() -> None:
    schema = schema_of([f"{row % 9}%" for row in range(60)] + [f"{row % 9}" for row in range(40)])
    assert schema.column("x").kind == "number"
    assert schema.column("x").numbers.suffix == "%"
    assert "60.0 % of the numbers have '%' and the others have not" in schema.warnings[0]
    bare = column_of([f"{row % 9}%" for row in range(40)] + [f"{row % 9}" for row in range(60)])
    assert write(np.array([5.0]), bare.numbers) == ["5"]


def test_a_percent_sign_in_a_column_without_is_unreadable() -> None:
    plain = Column("x", "number", numbers=NumberStyle(1))
    values, unreadable = measured(plain, pa.array(["12.5%", "$5", "5 kg", "1.5", "2", "3", "?"]))
    assert np.isnan(values).tolist() == [True, True, True, False, False, False, True]
    assert unreadable is not None
    assert unreadable.tolist() == [True, True, True, False, False, False, False]
    percent = Column("x", "number", numbers=NumberStyle(1, suffix="%"))
    assert numbers(percent, pa.array(["12.5%", "12.5 %", "12.5"])).tolist() == [12.5] * 3
    with pytest.raises(SchemaError, match="'x' holds '5 kg' in row 0, where a number is expected"):
        numbers(percent, pa.array(["5 kg"] * 2))


def test_decimals_are_those_of_most_cells() -> None:
    noisy = column_of([f"{row / 4:.2f}" for row in range(99)] + ["1.4300000000000002"])
    assert (noisy.numbers.decimals, noisy.numbers.least) == (2, 2)
    python = column_of([str(row / 4) for row in range(40)]).numbers
    assert (python.decimals, python.least) == (2, 1)
    assert write(np.array([3.0, 2.256]), python) == ["3.0", "2.26"]
    one = column_of(["0.00001"] * 2 + [f"1.{row}" for row in range(1, 98)]).numbers
    assert one.decimals == 2


def test_leading_zeros_are_codes_also_beside_a_bad_cell() -> None:
    assert column_of(["02139", "10001", "00501"] * 20 + ["n/k"]).kind == "category"


def test_a_forced_kind_reads_what_it_can() -> None:
    cells = [f"{row % 9}%" for row in range(12)] + ["?"] + ["none of it"] * 5
    schema = schema_of(cells, kinds={"x": "number"})
    assert (schema.column("x").kind, schema.column("x").numbers.suffix) == ("number", "%")
    assert schema.column("x").why == "given by the user"
    assert "5 of 17 cells cannot be read as a number, such as 'none of it'" in schema.warnings[0]


def test_styles_come_back_from_json() -> None:
    schema = schema_of(["$1.2k", "$3.4M", "-$5.6k"])
    assert schema.column("x").numbers.magnitudes == ("k", "M")
    assert Schema.from_json(schema.to_json()) == schema


STYLES = st.builds(
    NumberStyle,
    decimals=st.integers(0, 4),
    least=st.just(0),
    comma=st.booleans(),
    thousands=st.sampled_from(["", " ", NBSP, THIN, "'", QUOTE]),
    prefix=st.sampled_from(["", "$", "€ ", "USD ", "CHF ", "£"]),
    suffix=st.sampled_from(["", "%", " %", " kg", " km/h", "°C", " EUR", " €", " m2"]),
    negative=st.sampled_from(["-", MINUS, "()", "0-"]),
    sign_first=st.booleans(),
    plus=st.booleans(),
)


@settings(deadline=None, max_examples=200)
@given(STYLES, st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20))
def test_every_style_is_read_as_it_is_written(style: NumberStyle, units: list[int]) -> None:
    values = np.array(units) / 10 ** (style.decimals or 0)
    texts = write(values, style)
    assert np.allclose(read_styled(pa.array(texts), style), values, rtol=1e-12)
    assert write(read_styled(pa.array(texts), style), style) == texts


@settings(deadline=None, max_examples=300)
@given(STYLES, st.lists(st.integers(-(10**7), 10**7), min_size=3, max_size=20, unique=True))
def test_a_guessed_style_writes_the_texts_that_it_was_guessed_from(style: NumberStyle, units: list[int]) -> None:
    values = np.array([*units, 1_234_567]) / 10 ** (style.decimals or 0)
    texts = pa.array(write(values, replace(style, least=style.decimals or 0)))
    counts = np.ones(len(texts), dtype=np.intp)
    found = guess_style(texts, counts, lambda comma: to_floats(texts, comma), semicolon=style.comma)
    assert found is not None
    read = read_styled(texts, found)
    assert np.allclose(read, values, rtol=1e-12)
    assert write(read, found) == texts.to_pylist()


@settings(deadline=None, max_examples=100)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_is_written_as_one(value: float) -> None:
    style = NumberStyle()
    (text,) = write(np.array([value]), style)
    assert text is not None
    assert math.isclose(float(text), value, rel_tol=1e-6, abs_tol=1e-300)
