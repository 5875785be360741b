"""Texts that are alike share marks."""

from anomalo.cleaning.learning.marks import marks


def test_texts_of_one_format_share_its_marks() -> None:
    one, other = set(marks("12.0 oz")), set(marks("16.0 oz"))
    assert ("affix", " oz") in one & other
    assert ("text", "12.0 oz") in one - other


def test_numbers_are_alike_by_what_they_may_count() -> None:
    assert ("number", "1 2") in marks("1/30/99")
    assert ("number", "2 3") in marks("1/30/99")
    assert ("repeats", "002") in marks("1/1/09")


def test_an_empty_text_has_one_mark() -> None:
    assert marks("") == (("empty", ""),)


def test_marks_of_a_long_text_are_short() -> None:
    assert max(len(mark) for _, mark in marks("x" * 10_000_000)) < 300
