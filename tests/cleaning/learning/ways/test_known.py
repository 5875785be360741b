"""Every way finds functions that rewrite its example, and that rewrite other texts alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalo.cleaning.learning.ways.known import EVERY, WAYS

ALIKE = [
    ("strip", "12.0 oz", "12.0", "7 oz", "7"),
    ("strip", "ca. 1900", "1900", "ca. 1850", "1850"),
    ("add", "12", "12 kg", "9", "9 kg"),
    ("number", "12.0 oz.", "12", "16.90 ounce", "16.9"),
    ("number", "0.055999999999999994%", "0.056", "0.07%", "0.07"),
    ("number", "$1,200", "1200", "$31,500", "31500"),
    ("style", "SALEM", "Salem", "SANTA ROSA", "Santa Rosa"),
    ("style", "Doe, Jane", "Jane Doe", "Poe, Edgar Allan", "Edgar Allan Poe"),
    ("cut", "San Francisco CA", "San Francisco", "Gary IN", "Gary"),
    ("cut", "rock/pop", "pop", "folk/jazz", "jazz"),
    ("replace", "10.5.2001", "10/5/2001", "9.6.1999", "9/6/1999"),
    ("replacement", "N/A", "", "N/A", ""),
    ("template", "4/27/15", "2015-04-27", "11/3/98", "1998-11-03"),
    ("template", "Jun-70", "70-6", "Dec-12", "12-12"),
    ("template", "(205) 555-1234", "205-555-1234", "(334) 555-0000", "334-555-0000"),
    ("template", "SMITH john", "John Smith", "DOE jane", "Jane Doe"),
    ("whole", "Salem", "Salem", "Gary", "Gary"),
]


@pytest.mark.parametrize(("name", "before", "after", "other", "expected"), ALIKE)
def test_a_function_found_from_an_example_rewrites_another_text(
    name: str, before: str, after: str, other: str, expected: str
) -> None:
    way = EVERY[name]
    assert expected in [way.apply(arguments, other) for arguments in way.propose(before, after)]


@given(st.text(st.sampled_from("aB1 2/-.,é%"), max_size=12), st.text(st.sampled_from("aB1 2/-.,é%"), max_size=12))
def test_every_function_rewrites_its_example(before: str, after: str) -> None:
    for name, way in EVERY.items():
        for arguments in way.propose(before, after):
            assert way.apply(arguments, before) == after, (name, arguments)
            assert way.describe(arguments)


@given(st.text(max_size=30))
def test_no_function_fails_on_any_text(text: str) -> None:
    for name, before, after, *_ in ALIKE:
        for arguments in EVERY[name].propose(before, after):
            made = EVERY[name].apply(arguments, text)
            assert made is None or isinstance(made, str)


def test_what_does_not_apply_is_left_alone() -> None:
    assert WAYS["strip"].apply(("end", " oz"), "12 kg") is None
    assert WAYS["number"].apply(("trimmed", "*"), "7-8") is None
    assert WAYS["cut"].apply(("before the last", " ", "AA"), "Los Angeles") is None
    assert WAYS["template"].apply(("0/0", "", "0:", "=-", "2:"), "1-2") is None
