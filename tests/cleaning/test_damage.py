"""Remains of a wrong encoding are counted; letters, marks and signs of any script are not."""

import pytest

from anomalo.cleaning.evidence.damage import MOST, damage


@pytest.mark.parametrize(
    "text", ["Z\ufffdrich", "Z\u0081rich", "Straße".encode().decode("cp1252"), "R&amp;D", "Schr?dinger"]
)
def test_damaged_texts_are_counted(text: str) -> None:
    assert damage([text])[0] >= 1


@pytest.mark.parametrize(
    "text", ["Łódź", "Ångström, Ñandú, ÂME", "שָׁלוֹם", "हिन्दी", "e\u0301t", "why? because", "AT&T", "x?", "Ελλάδα", ""]
)
def test_texts_of_all_scripts_are_not(text: str) -> None:
    assert damage([text])[0] == 0


def test_a_text_counts_only_so_much() -> None:
    assert damage(["\ufffd" * 100])[0] == MOST
