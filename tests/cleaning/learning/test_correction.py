"""Suggestions compete: agreement makes one likelier, others make it less likely."""

import pytest

from anomalo.cleaning.learning.correction import Ballot


def test_a_single_suggestion_keeps_its_probability() -> None:
    assert Ballot({"a": 0.8}).elected() == ("a", pytest.approx(0.8))
    assert Ballot(as_usual={"a": 0.3}).elected() == ("a", pytest.approx(0.3))
    assert Ballot().elected() == (None, 0.0)


def test_agreement_makes_a_suggestion_likelier() -> None:
    text, probability = Ballot({"a": 0.6, "b": 0.7}, {"a": 0.6}).elected()
    assert text == "a"
    assert 0.5 < probability < 0.84


def test_two_equal_suggestions_are_right_half_of_the_time_at_the_most() -> None:
    assert Ballot({"a": 0.9, "b": 0.9}).elected()[1] < 0.5
