"""Rules rewrite the cells that they hold for, from the cell or from another column, and are saved as plain values."""

import numpy as np
import pytest

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.learning.rules import Rule, proposals
from anomalo.errors import ArtefactError

TABLE = CodedTable.of_texts({"city": ["San Jose CA", "Gary IN", "Salem", "Bend OR"], "state": ["", "", "OR", "OR"]})


def made(rule: Rule, name: str) -> list[str | None]:
    codes, texts = rule.outputs(TABLE, TABLE.columns[TABLE.names.index(name)])
    return [texts[code] for code in codes]


def test_a_rule_rewrites_the_cells_that_it_applies_to() -> None:
    assert made(Rule("cut", ("before the last", " ", "AA")), "city") == ["San Jose", "Gary", None, "Bend"]


def test_a_rule_takes_a_text_from_another_column_where_it_holds() -> None:
    rule = Rule("cut", ("after the last", " ", "*"), "city", "")
    assert made(rule, "state") == ["CA", "IN", None, None]
    assert rule.describe("state") == "in `state`: keep what is after the last ' ' from `city`, where it is empty"


def test_a_cell_that_stays_as_it_is_is_not_rewritten() -> None:
    assert made(Rule("cut", ("after the last", " ", "*"), "city"), "state") == ["CA", "IN", None, None]


def test_some_rows_are_rewritten_as_all_are() -> None:
    rule, column = Rule("cut", ("after the last", " ", "*"), "city", ""), TABLE.columns[1]
    codes, texts = rule.outputs(TABLE, column, np.array([1, 3]))
    assert [texts[code] for code in codes] == ["IN", None]


def test_a_source_that_is_not_there_rewrites_nothing() -> None:
    assert made(Rule("whole", (), "county"), "state") == [None] * 4


def test_proposals_are_the_same_in_every_process() -> None:
    found = list(proposals("", "CA", {"city": "San Jose CA"}))
    assert Rule("cut", ("after the last", " ", "*"), "city", "") in found
    assert found == list(proposals("", "CA", {"city": "San Jose CA"}))


def test_rules_are_saved() -> None:
    for rule in proposals("San Jose CA", "San Jose", {"state": "", "town": "San Jose"}):
        assert Rule.from_json(rule.to_json()) == rule


@pytest.mark.parametrize("values", [{}, {"way": "unheard", "arguments": []}, {"way": "cut", "arguments": "x"}])
def test_damaged_rules_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ArtefactError, match="damaged"):
        Rule.from_json(values)
