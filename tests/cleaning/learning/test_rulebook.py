"""A rule's record is what it does to the labelled cells."""

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.learning.labels import Answer
from anomalo.cleaning.learning.rulebook import WeightedRule, rulebook
from anomalo.cleaning.learning.rules import Rule

TABLE = CodedTable.of_texts({"size": ["12 oz", "16 oz", "7 oz", "about 9 oz", "8"]})
ANSWERS = [
    Answer(0, "size", True, "12"),
    Answer(1, "size", True, "16"),
    Answer(2, "size", False),
    Answer(3, "size", True, "9"),
    Answer(4, "size", False),
]


def test_hits_misses_and_breaks_are_counted() -> None:
    book = {one.rule: one for one in rulebook(TABLE, "size", ANSWERS)}
    strip = book[Rule("strip", ("end", " oz"))]
    assert (strip.hits, strip.misses, strip.breaks) == (2, 1, 1)


def test_the_rule_with_the_best_record_is_first() -> None:
    first = rulebook(TABLE, "size", ANSWERS)[0]
    assert first.hits == 3
    assert first.misses == 0


def test_trust_grows_with_hits_and_shrinks_with_misses() -> None:
    rule = Rule("strip", ("end", " oz"))
    trusts = [WeightedRule(rule, *record, 0).trust for record in ((1, 3), (1, 0), (2, 0), (20, 0))]
    assert trusts == sorted(trusts)
    assert trusts[-1] > 0.95


def test_answers_without_a_value_make_no_rule() -> None:
    assert rulebook(TABLE, "size", [Answer(0, "size", True)]) == []
