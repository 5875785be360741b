"""What broken rules say of a batch: the surprisal of cells, which no neighbour changes, and what they should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pytest

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.table_encoder import TableEncoder
from anomalo.jobs.context import JobContext
from anomalo.rules.cells import take
from anomalo.rules.discovery import discover
from anomalo.rules.evidence import Evidence, expectations
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import Schema, infer

ROWS = 400


def trips() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    start = pd.Timestamp("2024-03-01 08:00") + pd.to_timedelta(rng.integers(0, 200_000, ROWS), "min")
    fare, tip = rng.gamma(3, 4, ROWS).round(2), rng.gamma(2, 1, ROWS).round(2)
    city = pd.Series(rng.choice(["Miami", "Tampa", "Reno"], ROWS))
    return pd.DataFrame(
        {
            "start": start,
            "end": start + pd.to_timedelta(rng.integers(5, 60, ROWS), "min"),
            "fare": fare,
            "tip": tip,
            "total": (fare + tip).round(2),
            "city": city,
            "state": city.map({"Miami": "FL", "Tampa": "FL", "Reno": "NV"}),
        }
    )


def broken() -> pd.DataFrame:
    """Return rows of which the first breaks a sum, the second an order, the third a dependency, the fourth nothing."""
    frame = trips().iloc[:4].copy()
    frame.loc[0, ["fare", "tip", "total"]] = [12.3, 2.0, 19.3]
    frame.loc[1, ["start", "end"]] = [pd.Timestamp("2024-05-02 10:00"), pd.Timestamp("2024-05-01 10:00")]
    frame.loc[2, ["city", "state"]] = ["Reno", "FL"]
    return frame


@pytest.fixture
def encoder(parse: Callable[..., Any]) -> TableEncoder:
    columns, schema = parse(trips())
    return TableEncoder().fit(columns, schema)


def test_the_broken_cells_have_the_surprisal_of_their_rule(encoder: TableEncoder, parse: Callable[..., Any]) -> None:
    data = encoder.encode(parse(broken())[0])
    assert data.evidence is not None
    names = [block.name for block in data.layout.blocks]
    found = [(int(row), names[at]) for row, at in np.argwhere(data.evidence.surprisal > 0)]
    assert found == [(0, "total"), (1, "end"), (2, "state")]
    found_surprisal = data.evidence.surprisal[data.evidence.surprisal > 0]
    np.testing.assert_allclose(found_surprisal, np.log((ROWS + 1) / 0.5), rtol=1e-6)
    assert not data.evidence.surprisal.flags.writeable


def test_rows_that_break_nothing_have_no_evidence(encoder: TableEncoder, parse: Callable[..., Any]) -> None:
    assert encoder.encode(parse(trips())[0]).evidence is None


def test_values_and_hashes_of_rows_that_break_nothing_stay(encoder: TableEncoder, parse: Callable[..., Any]) -> None:
    with_rules = encoder.encode(parse(broken())[0])
    encoder.rules = ()
    without = encoder.encode(parse(broken())[0])
    np.testing.assert_array_equal(with_rules.values, without.values)
    np.testing.assert_array_equal(with_rules.observed, without.observed)
    same = with_rules.hashes() == without.hashes()
    assert same.tolist() == [False, False, False, True]


def test_a_row_alone_has_the_evidence_it_has_in_a_batch(encoder: TableEncoder, parse: Callable[..., Any]) -> None:
    columns, _ = parse(broken())
    whole = encoder.encode(columns)
    assert whole.evidence is not None
    parts = [encoder.encode(take(columns, np.array([row]))) for row in range(4)]
    joined = Encoded.concatenate(parts)
    assert parts[3].evidence is None
    assert joined.evidence is not None
    np.testing.assert_array_equal(joined.evidence.surprisal, whole.evidence.surprisal)
    np.testing.assert_array_equal(joined.hashes(), whole.hashes())
    taken = whole.take(np.array([2, 0]))
    assert taken.evidence is not None
    np.testing.assert_array_equal(taken.evidence.surprisal, whole.evidence.surprisal[[2, 0]])


def test_a_hidden_cell_breaks_nothing(encoder: TableEncoder, parse: Callable[..., Any]) -> None:
    data = encoder.encode(parse(broken())[0])
    total = np.array([[block.name == "total" for block in data.layout.blocks]])
    hidden = data.hide(total)
    assert hidden.evidence is not None
    assert hidden.evidence.surprisal.any(axis=1).tolist() == [False, True, True, False]
    assert data.as_models_see() is data


def test_the_encoder_keeps_its_rules_in_json(encoder: TableEncoder, parse: Callable[..., Any]) -> None:
    _, schema = parse(trips())
    again = TableEncoder.from_json(json.loads(json.dumps(encoder.to_json())), schema)
    assert again.rules == encoder.rules != ()
    other, mine = (each.encode(parse(broken())[0]).evidence for each in (again, encoder))
    assert other is not None
    assert mine is not None
    np.testing.assert_array_equal(other.surprisal, mine.surprisal)


def test_a_cell_that_breaks_several_rules_has_the_largest_surprisal(parse: Callable[..., Any]) -> None:
    columns, schema = parse(trips())
    (rule,) = [rule for rule in discover(columns, schema.features) if rule.target == "total" and rule.kind == "sum"]
    weaker = replace(rule, support=50)
    for rules in ([rule, weaker], [weaker, rule]):
        evidence = Evidence.of(rules, parse(broken())[0], ["fare", "tip", "total"])
        assert evidence is not None
        assert evidence.surprisal[0, 2] == np.float32(rule.surprisal)


def in_csv(frame: pd.DataFrame, path: Path) -> tuple[ParsedTable, Schema]:
    frame.to_csv(path, index=False, date_format="%d/%m/%Y %H:%M", float_format="%.2f")
    table = ParsedTable(JobContext.at(path.parent / "workspace").table(str(path)))
    return table, infer(table)


def test_expected_values_are_written_as_their_column_writes_them(tmp_path: Path) -> None:
    table, schema = in_csv(trips(), tmp_path / "trips.csv")
    rules = discover(schema.parse(table), schema.features)
    new, _ = in_csv(broken(), tmp_path / "new.csv")
    columns, unknown = schema.parse(new), pytest.approx(np.nan, nan_ok=True)
    evidence = Evidence.of(rules, columns, list(trips().columns))
    assert evidence is not None
    assert expectations(evidence, columns, schema, np.ones((4, 7), dtype=bool)) == {
        (0, "fare"): ("17.30 (total - tip)", 17.3),
        (0, "tip"): ("7.00 (total - fare)", pytest.approx(7)),
        (0, "total"): ("14.30 (fare + tip)", 14.3),
        (1, "start"): ("at most 01/05/2024 10:00 (end)", unknown),
        (1, "end"): ("at least 02/05/2024 10:00 (start)", unknown),
        (2, "city"): ("another (city decides state)", unknown),
        (2, "state"): ("NV (as city decides)", unknown),
    }
    assert not expectations(evidence, columns, schema, np.zeros((4, 7), dtype=bool))


def test_no_rule_is_about_the_label(parse: Callable[..., Any]) -> None:
    _, schema = parse(trips(), label="state")
    learning = schema.learning_label()
    table = pa.Table.from_pandas(trips(), preserve_index=False)
    encoder = TableEncoder().fit(learning.parse(table, label=True), learning)
    assert "state" in [block.name for block in encoder.layout.blocks]
    assert all("state" not in rule.columns for rule in encoder.rules)
