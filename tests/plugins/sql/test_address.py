"""What is an address of a database, and what is not."""

import pytest

from anomalo_sql.address import SqlAddress


@pytest.mark.parametrize(
    ("text", "url", "what"),
    [
        ("sqlite:///a.db::visits", "sqlite:///a.db", "visits"),
        ("postgresql://u@[::1]:5432/db::select a::int from t", "postgresql://u@[::1]:5432/db", "select a::int from t"),
        ("duckdb:///a.db:: select 1;\n", "duckdb:///a.db", "select 1"),
        ("postgresql+psycopg://h/d::a b", "postgresql+psycopg://h/d", "a b"),
    ],
)
def test_an_address_has_a_url_and_a_table_or_query(text: str, url: str, what: str) -> None:
    assert SqlAddress.parse(text) == SqlAddress(url, what)


@pytest.mark.parametrize(
    "text", ["visits.csv", "s3://bucket/a.csv", "zip://a.csv::s3://bucket/a.zip", "a::b", "https://h/x"]
)
def test_other_sources_are_not(text: str) -> None:
    assert SqlAddress.parse(text) is None


def test_a_long_query_is_shown_in_part_and_on_one_line() -> None:
    shown = str(SqlAddress("sqlite:///a.db", "select a,\n  b " + "c " * 200))
    assert shown.startswith("sqlite:///a.db::select a, b c")
    assert len(shown) == 120
