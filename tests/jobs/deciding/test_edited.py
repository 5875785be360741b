"""Values that people give for cells: taken in their columns' format, or refused in one line."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from anomalo.errors import UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.deciding.edited import edited, schema_of
from anomalo.tabular.reading.reader import read
from anomalo.tabular.schema import Schema, infer
from anomalo.workspace.workspace import Workspace

ROWS = 40


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Schema:
    """Columns of a text file, in styles of their own."""
    path = tmp_path_factory.mktemp("styles") / "table.csv"
    frame = pd.DataFrame(
        {
            "weight": [f"{50 + row / 4:.2f}".replace(".", ",") + " kg" for row in range(ROWS)],
            "price": [f"${row}.50" for row in range(ROWS)],
            "children": [row % 4 for row in range(ROWS)],
            "smoker": ["no", "yes"] * (ROWS // 2),
            "day": [f"{1 + row % 28:02}.03.2020" for row in range(ROWS)],
            "colour": ["red", "green"] * (ROWS // 2),
        }
    )
    frame.to_csv(path, index=False, sep=";")
    return infer(pa.Table.from_batches(list(read(str(path)) or [])))


@pytest.mark.parametrize(
    ("name", "text", "written"),
    [
        ("weight", "70,25 kg", "70,25 kg"),
        ("weight", " 70,25 ", "70,25 kg"),
        ("price", "12.25", "$12.25"),
        ("price", "$12.25", "$12.25"),
        ("children", "3", "3"),
        ("smoker", "YES", "yes"),
        ("day", "31.03.2020", "31.03.2020"),
        ("colour", "violet = new", "violet = new"),
        ("weight", "  ", None),
        ("children", "n/a", "n/a"),
        ("unknown", "anything", "anything"),
    ],
)
def test_a_value_is_written_as_its_column_writes_it(texts: Schema, name: str, text: str, written: str | None) -> None:
    assert edited(texts, name, text) == written


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("weight", "heavy", "column 'weight' takes numbers, such as '60,00 kg'; got 'heavy'"),
        ("weight", "70 lb", "takes numbers"),
        ("price", "inf", "takes numbers"),
        ("children", "2.5", "column 'children' takes whole numbers"),
        ("smoker", "perhaps", "column 'smoker' takes no or yes"),
        ("day", "2020-02-31", "column 'day' takes dates or times"),
    ],
)
def test_a_value_that_a_column_does_not_hold_is_refused(texts: Schema, name: str, text: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        edited(texts, name, text, "60,00 kg")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_typed_columns_take_what_their_type_holds() -> None:
    table = pa.table(
        {
            "count": pa.array([row % 7 for row in range(ROWS)], pa.int32()),
            "share": pa.array([row / 7 for row in range(ROWS)]),
            "there": pa.array([row % 2 == 0 for row in range(ROWS)]),
            "day": pa.array(pd.date_range("2020-01-01", periods=ROWS)).cast(pa.timestamp("ms")),
        }
    )
    schema = infer(table)
    values = {"count": "5", "share": "0.125", "there": "true", "day": "2021-05-06"}
    assert {name: edited(schema, name, value) for name, value in values.items()} == values
    for name, value in {"count": "5.0", "share": "x", "there": "7", "day": "soon"}.items():
        with pytest.raises(UsageError, match=f"column '{name}' takes"):
            edited(schema, name, value)


def test_columns_are_understood_as_the_model_does_or_by_rows(workspace: Path, tables: Path, tmp_path: Path) -> None:
    context, source = JobContext.at(workspace), str(tables / "patients.csv")
    store = context.store
    modelled = store.add_run("impute", lambda folder: None, model=store.model("full"), source=source)
    schema = schema_of(context, modelled)
    assert schema is not None
    assert schema.id == "name"
    cleaned = store.add_run("clean", lambda folder: None, model=None, source=source)
    schema = schema_of(context, cleaned)
    assert schema is not None
    assert schema.column("weight").kind == "number"
    gone = store.add_run("clean", lambda folder: None, model=None, source=str(tmp_path / "gone.csv"))
    assert schema_of(JobContext(context.registry, Workspace(tmp_path)), gone) is None
    assert edited(None, "weight", "anything") == "anything"
