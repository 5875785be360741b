import numpy as np
import pyarrow as pa
import pytest

from anomalo.errors import SchemaError, UsageError
from anomalo.tabular.schema import Schema, SchemaOptions, infer

TABLE = pa.table(
    {
        "at": pa.array(np.arange(30) * 60).cast(pa.timestamp("s")),
        "count": np.arange(30),
        "sensor": np.repeat([7, 8], 15),
        "made": pa.array(np.arange(30)[::-1] * 60).cast(pa.timestamp("s")),
        "heat": np.random.default_rng(0).normal(size=30),
    }
)


def test_the_columns_of_a_series_have_their_roles() -> None:
    schema = infer(TABLE, SchemaOptions(time="at", entity="sensor", window=9, causal=True))
    assert (schema.modality, schema.time, schema.entity, schema.window, schema.causal) == (
        "series",
        "at",
        "sensor",
        9,
        True,
    )
    assert [column.name for column in schema.features] == ["count", "heat"]
    assert schema.column("made").role == "dropped"
    assert any("'made'" in text and "is no channel" in text for text in schema.warnings)
    assert Schema.from_json(schema.to_json()) == schema
    parsed = schema.parse(TABLE)
    assert set(parsed.values) == {"at", "count", "sensor", "heat"}
    with pytest.raises(SchemaError, match="the model reads the column 'sensor', which the table does not have"):
        schema.check(["at", "count", "heat"])


def test_a_number_that_grows_is_a_time() -> None:
    schema = infer(TABLE, SchemaOptions(time="count"))
    assert schema.parse(TABLE).values["count"].tolist() == list(range(30))  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"entity": "sensor"}, "--entity is for series; give the column with the times of the points, too: --time COL"),
        ({"causal": True}, "--causal is for series"),
        ({"time": "at", "entity": "at"}, "column 'at' has the times of the points, and cannot be something else"),
        ({"time": "at", "entity": "sensor", "label": "sensor"}, "column 'sensor' names the series"),
        ({"time": "at", "window": 1}, "a window of 1 points: expected 2 or more"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SchemaOptions(**options)  # type: ignore[arg-type]


def test_a_time_that_is_none_is_refused() -> None:
    words = TABLE.set_column(0, "at", pa.array(["soon", "later", "never"] * 10))
    with pytest.raises(
        SchemaError, match="column 'at' cannot be the time of the points: it holds 'soon'; expected dates"
    ):
        infer(words, SchemaOptions(time="at"))
    with pytest.raises(UsageError, match="there is no column 'att'"):
        infer(TABLE, SchemaOptions(time="att"))


def test_the_options_of_a_series_go_to_a_file_and_back(tmp_path: object) -> None:
    options = SchemaOptions(time="at", entity="sensor", window=9, causal=True)
    path = tmp_path / "schema.toml"  # type: ignore[operator]
    path.write_text(options.to_toml())
    assert SchemaOptions.from_toml(path) == options
    path.write_text('time = "at"\nwindow = "nine"\n')
    with pytest.raises(UsageError, match="window is 'nine'; expected a whole number"):
        SchemaOptions.from_toml(path)
