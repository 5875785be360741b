"""Tables and queries of databases are read by their types, and tables are written whole or not at all."""

import datetime
import decimal
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy

from anomalo.errors import AnomaloError, EmptySourceError, OutputError, SourceError, UsageError
from anomalo.registry.registry import Registry
from anomalo_sql.address import SqlAddress
from anomalo_sql.connections import engine_of

REGISTRY = Registry.load()
WEIRD = 'of "t"; drop table visits; -- %s :x'
NOON = datetime.datetime(2024, 1, 31, 12, 30, tzinfo=datetime.UTC)

TABLE = pa.table(
    {
        "whole": pa.array([1, None, 3], pa.int64()),
        "real": [1.5, float("nan"), None],
        "price": pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("2.50")], pa.decimal128(6, 2)),
        "day": [datetime.date(2024, 1, 31), None, datetime.date(2024, 2, 1)],
        "zoned": pa.array([NOON, None, NOON], pa.timestamp("us", "UTC")),
        "moment": pa.array([NOON.replace(tzinfo=None), None, None], pa.timestamp("us")),
        "yes": [True, None, False],
        WEIRD: ["ä", "'; drop table visits; --", None],
        "level": pa.array(["x", "y", "x"]).dictionary_encode(),
        "list": [[1], None, [2, 3]],
    }
)


def read(source: str) -> pa.Table:
    return pa.Table.from_batches(list(REGISTRY.read(source)))


def write(target: str, table: pa.Table) -> None:
    destination = REGISTRY.destination(target)
    destination.check()
    with destination.writer(table.schema) as writer:
        for batch in table.to_batches():
            writer.write(batch)


def tables(database: str) -> list[str]:
    with engine_of(SqlAddress(database, "t"), reads=False).connect() as connection:
        return sorted(sqlalchemy.inspect(connection).get_table_names())


@pytest.fixture
def name() -> str:
    """A table's name that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}"


def test_a_table_is_the_same_after_it_was_written_and_read(database: str, name: str) -> None:
    write(f"{database}::{name}", TABLE)
    back = read(f"{database}::{name}")
    assert back.column_names == TABLE.column_names
    assert back["whole"].to_pylist() == [1, None, 3]
    assert back["real"].to_pylist() == [1.5, None, None]
    assert back[WEIRD].to_pylist() == TABLE[WEIRD].to_pylist()
    assert back["level"].to_pylist() == ["x", "y", "x"]
    assert back["list"].to_pylist() == ["[1]", None, "[2, 3]"]


def test_the_types_of_a_database_are_those_of_the_table(database: str, name: str) -> None:
    if database.startswith("sqlite"):
        pytest.skip("SQLite has no types of its own for these")
    write(f"{database}::{name}", TABLE)
    back, typed = read(f"{database}::{name}"), ["whole", "price", "day", "zoned", "moment", "yes"]
    assert [back.schema.field(column).type for column in typed] == [TABLE.schema.field(column).type for column in typed]
    assert back.select(typed).to_pylist() == TABLE.select(typed).to_pylist()


def test_a_query_is_read_as_it_is(database: str, name: str) -> None:
    write(f"{database}::{name}", TABLE)
    found = read(
        f"{database}::select whole, whole * 2 as twice, level from {name} where level like 'x%' order by whole;"
    )
    assert found.to_pylist() == [{"whole": 1, "twice": 2, "level": "x"}, {"whole": 3, "twice": 6, "level": "x"}]


def test_many_rows_come_in_batches_of_one_schema(database: str, name: str) -> None:
    count = 40_000
    write(f"{database}::{name}", pa.table({"x": pa.array(range(count), pa.int64())}))
    batches = list(
        REGISTRY.read(f"{database}::select x, case when x > 35000 then 'a' end as late from {name} order by x")
    )
    assert max(map(len, batches)) <= 32_768
    assert len({str(batch.schema) for batch in batches}) == 1
    assert pa.Table.from_batches(batches)["x"].to_pylist() == list(range(count))


def test_names_are_quoted_and_never_run(database: str, name: str) -> None:
    write(f"{database}::{name}", TABLE)
    write(f"{database}::{name} {WEIRD}?mode=replace", TABLE.select(["whole"]))
    assert read(f"{database}::{name} {WEIRD}")["whole"].to_pylist() == [1, None, 3]
    for attempt in (f'{name}"; drop table {name}; --', f"drop table {name}", f"delete from {name}"):
        with pytest.raises(SourceError, match="there is no such table"):
            read(f"{database}::{attempt}")
    assert name in tables(database)


@pytest.mark.parametrize(
    "statement", ["with x as (select 1) delete from {}", "with x as (select 1) insert into {} values (1)"]
)
def test_a_source_is_only_read(database: str, name: str, statement: str) -> None:
    write(f"{database}::{name}", TABLE.select(["whole"]))
    with pytest.raises(SourceError):
        read(f"{database}::{statement.format(name)}")
    assert len(read(f"{database}::{name}")) == 3


def test_an_output_never_destroys_what_it_was_not_told_to(database: str, name: str) -> None:
    write(f"{database}::{name}", TABLE)
    with pytest.raises(OutputError, match=r"exists already; add \?mode=append"):
        write(f"{database}::{name}", TABLE)
    write(f"{database}::{name}?mode=append", TABLE)
    assert len(read(f"{database}::{name}")) == 6
    write(f"{database}::{name}?mode=replace", TABLE.select(["whole"]))
    assert read(f"{database}::{name}").column_names == ["whole"]
    with pytest.raises(OutputError, match="has no column 'level'"):
        write(f"{database}::{name}?mode=append", TABLE.select(["level"]))
    with pytest.raises(UsageError, match="expected one of: create, append, replace"):
        write(f"{database}::{name}?mode=destroy", TABLE)


@pytest.mark.parametrize("mode", ["create", "replace", "append"])
def test_an_interrupted_output_leaves_the_database_as_it_was(database: str, name: str, mode: str) -> None:
    if mode != "create":
        write(f"{database}::{name}", TABLE)
    before = tables(database) if mode != "create" or Path(database.partition(":///")[2]).exists() else []
    destination = REGISTRY.destination(f"{database}::{name}?mode={mode}")
    with pytest.raises(KeyboardInterrupt), destination.writer(TABLE.schema) as writer:  # noqa: PT012
        writer.write(TABLE.to_batches()[0])
        raise KeyboardInterrupt
    assert [table for table in tables(database) if table == name] == [table for table in before if table == name]
    if mode != "create":
        assert len(read(f"{database}::{name}")) == 3


KILLED = """
import os, signal, sys
import anomalo_sql.writing as writing, pyarrow as pa
insert = writing.insert
def insert_and_die(*arguments):
    insert(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
writing.insert = insert_and_die
with writing.SqlTable.parse(sys.argv[1]).writer(None) as writer:
    writer.write(pa.record_batch({"whole": [4, 5]}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["create", "replace", "append"])
def test_a_process_killed_in_its_transaction_leaves_the_database_as_it_was(database: str, name: str, mode: str) -> None:
    if mode != "create":
        write(f"{database}::{name}", TABLE.select(["whole"]))
    killed = subprocess.run([sys.executable, "-c", KILLED, f"{database}::{name}?mode={mode}"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (name in tables(database)) == (mode != "create")
    if mode != "create":
        assert read(f"{database}::{name}")["whole"].to_pylist() == [1, None, 3]


def test_a_failure_among_the_rows_leaves_the_database_as_it_was(database: str, name: str) -> None:
    if database.startswith("sqlite"):
        pytest.skip("SQLite takes any value in any column")
    write(f"{database}::{name}", pa.table({"x": pa.array([1], pa.int64())}))
    with pytest.raises(OutputError):
        write(f"{database}::{name}?mode=append", pa.table({"x": ["2", "no number"]}))
    assert read(f"{database}::{name}")["x"].to_pylist() == [1]


def test_a_table_may_be_written_to_the_database_that_it_is_read_from(database: str, name: str) -> None:
    write(f"{database}::{name}", TABLE)
    with REGISTRY.destination(f"{database}::{name}b").writer(None) as writer:
        for batch in REGISTRY.read(f"{database}::{name}"):
            writer.write(batch)
    assert read(f"{database}::{name}b").num_rows == 3


def test_nothing_to_read_is_one_line(database: str, name: str) -> None:
    write(f"{database}::{name}", TABLE.slice(0, 0))
    with pytest.raises(EmptySourceError, match="has no rows"):
        read(f"{database}::{name}")
    with pytest.raises(SourceError, match=f"did you mean '{name}'"):
        read(f"{database}::{name}s")
    with pytest.raises(SourceError, match="::"):
        read(f"{database}::select nothing from nowhere")


def test_not_a_number_is_null(database: str, name: str) -> None:
    write(f"{database}::{name}", TABLE)
    assert read(f"{database}::select count(real) as known, count(*) as rows from {name}").to_pylist() == [
        {"known": 1, "rows": 3}
    ]


@pytest.mark.slow
def test_postgresql_keeps_the_result_and_has_types_of_its_own(postgresql: str) -> None:
    opened = "(select count(*) from pg_cursors) as opened from generate_series(1, 2) as x"
    assert read(f"{postgresql}::select interval '1 s' as span, {opened}")["opened"].to_pylist() == [1, 1]
    assert read(f"{postgresql}::select x, {opened}")["opened"].to_pylist() == [0, 0], "plain types are copied"
    (row,) = read(
        f"""{postgresql}::select 'NaN'::numeric as real, 'NaN'::numeric(5, 2) as price, array[1.5, 2] as list,
        '{{"a": 1}}'::jsonb as object, '10:00'::time as hour, 'ab'::bytea as bytes, interval '1 day 2 hours' as span,
        5 % 2 as rest, ':x' as colon, '00000000-0000-0000-0000-000000000001'::uuid as id"""
    ).to_pylist()
    assert row == {
        "real": None,
        "price": None,
        "list": '["1.5", "2"]',
        "object": '{"a": 1}',
        "hour": datetime.time(10),
        "bytes": b"ab",
        "span": datetime.timedelta(days=1, hours=2),
        "rest": 1,
        "colon": ":x",
        "id": "00000000-0000-0000-0000-000000000001",
    }
    for query in ("select 'infinity'::date", "select 1; select 2", "select 1/0"):
        with pytest.raises(SourceError, match="::select"):
            read(f"{postgresql}::{query}")


def test_a_result_without_any_value_has_its_column(database: str, name: str) -> None:
    write(f"{database}::{name}", TABLE)
    assert read(f"{database}::select level, null as none from {name}")["none"].to_pylist() == [None] * 3


@pytest.mark.parametrize(
    "source",
    [
        "postgresql://ann:s3cret@127.0.0.1:1/db::visits",
        "postgresql://ann:s3/c@ret@127.0.0.1:1/db::visits",
        "postgresql://127.0.0.1:1/db?password=s3cret::select 1",
        "mysql://ann:s3cret@host/db::visits",
        "postgresql://ann:s3cret@host/db",
        "nothing://ann:s3cret@host/db::visits",
        "postgresql+nothing://ann:s3cret@host/db::visits",
    ],
)
def test_no_message_shows_a_password(source: str) -> None:
    for attempt in (read, lambda target: REGISTRY.destination(target).check()):
        with pytest.raises(AnomaloError) as raised:
            attempt(source)
        assert "s3" not in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_driver_that_is_absent_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(SourceError, match=r'no driver for postgresql is installed; .*"anomalo-engine\[sql\]"'):
        read("postgresql://host/db::visits")


def test_a_file_that_is_absent_is_not_created_by_reading(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        read(f"sqlite:///{tmp_path / 'no.db'}::t")
    assert list(tmp_path.iterdir()) == []


def test_texts_of_sqlite_that_are_dates_may_be_dates(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'a.db'}"
    write(f"{database}::t", TABLE)
    schema = next(iter(REGISTRY.read(f"{database}::t"))).schema
    assert b'"text_columns": ["day", "zoned", "moment"]' in schema.metadata[b"anomalo"]


@pytest.mark.slow
def test_what_postgresql_copies_is_what_its_driver_reads(postgresql: str) -> None:
    """Plain types are read as CSV; with a column of another type the same cells come one by one."""
    query = """select * from (values
        (true, 1::int2, -5::int8, 0.1::float4, 1e300::float8, 1.50::numeric(5, 2), 2.25::numeric, 'a,"b' || chr(10),
         '2024-02-29'::date, '2024-01-01 10:00:00.123456'::timestamp, '2024-01-01 10:00:00+02'::timestamptz),
        (false, null, null, 'NaN', 'infinity', 'NaN', 'NaN', '', null, null, null),
        (null, 3, 4, null, null, null, null, null, '0001-01-01', '9999-12-31', 'epoch'),
        (null, null, null, null, null, null, null, '\\N', null, null, null),
        (null, null, null, null, null, null, null, 'NaN', null, null, null),
        (null, null, null, null, null, null, null, 'é € 😀 \\.', null, null, null)
    ) as t(b, i, j, f, g, n, m, s, d, t, z)"""
    copied = read(f"{postgresql}::{query}")
    others = read(f"{postgresql}::select t.*, interval '1 s' as span from ({query}) as t").drop_columns("span")
    assert copied.schema.equals(others.schema)
    for name in copied.column_names:
        ours, theirs = copied[name].to_pylist(), others[name].to_pylist()
        missing = [None if cell != cell else cell for cell in ours]
        assert missing == [None if cell != cell else cell for cell in theirs], name
    assert copied["s"].to_pylist()[1:3] == ["", None], "an empty text is none that is missing"
    one = read(f"{postgresql}::select x from (values (null), (1), (null)) as t(x)")
    assert one["x"].to_pylist() == [None, 1, None], "a row of one missing cell is an empty line"
    assert read(f"{postgresql}::select 1 as a, 2 as b -- the end")["b"].to_pylist() == [2]
