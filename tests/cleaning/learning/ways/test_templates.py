"""Dates stay dates, repeated words are not preferred, and a template is said in words."""

from anomalo.cleaning.learning.ways.templates import TEMPLATE


def test_a_date_is_rewritten_where_the_result_is_one() -> None:
    found = list(TEMPLATE.propose("4/1/09", "1/9/04"))
    made = {text: {TEMPLATE.apply(one, text) for one in found} for text in ("7/1/12", "7/1/81", "10/27/14")}
    assert "1/12/07" in made["7/1/12"]
    assert made["7/1/81"] == {None}  # no month has 81 days
    assert "27/14/10" not in made["10/27/14"]


def test_a_template_that_takes_every_word_once_comes_first() -> None:
    first = next(TEMPLATE.propose("1/1/13", "1/13/01"))
    taken = [part.split(":")[0] for part in first[2:] if not part.startswith("=")]
    assert len(set(taken)) == 3


def test_months_have_names_and_numbers() -> None:
    (found, *_) = (one for one in TEMPLATE.propose("May 3, 1999", "3/5/1999") if "month's number" in str(one))
    assert TEMPLATE.apply(found, "September 12, 2004") == "12/9/2004"
    assert TEMPLATE.apply(found, "Sunday 12, 2004") is None


def test_a_template_is_said_in_words() -> None:
    said = TEMPLATE.describe(("0/0/0", "ymd", "4:year of 4 digits", "=-", "0:2 digits", "=-", "2:2 digits"))
    assert "[3, year of 4 digits]-[1, 2 digits]-[2, 2 digits]" in said
    assert "y-m-d" in said
