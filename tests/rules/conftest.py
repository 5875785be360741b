"""Tables as rules take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from anomalo.rules.discovery import discover
from anomalo.rules.rule import Rule
from anomalo.tabular.columns import Columns, ParsedTable
from anomalo.tabular.schema import Schema, SchemaOptions, infer

Table = pd.DataFrame | Mapping[str, Any]


def parse(table: Table, label: str | None = None) -> tuple[Columns, Schema]:
    """Return a table's columns and schema, the kinds those of its types."""
    parsed = ParsedTable(pa.Table.from_pandas(pd.DataFrame(table), preserve_index=False))
    schema = infer(parsed, SchemaOptions(label=label))
    return schema.parse(parsed), schema


@pytest.fixture(name="parse")
def parser() -> Callable[..., tuple[Columns, Schema]]:
    return parse


def found(table: Table, label: str | None = None) -> dict[str, Rule]:
    columns, schema = parse(table, label)
    return {rule.text: rule for rule in discover(columns, schema.features)}


@pytest.fixture
def every_rule() -> Callable[..., dict[str, Rule]]:
    """Return the rules of a table, by their text."""
    return found


@pytest.fixture
def rules() -> Callable[..., dict[str, Rule]]:
    """Return the rules between columns of a table, by their text."""

    def find(table: Table, label: str | None = None) -> dict[str, Rule]:
        return {text: rule for text, rule in found(table, label).items() if len(rule.columns) > 1}

    return find
