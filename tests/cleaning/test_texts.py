"""Formats, character n-grams, rarity, numbers and disguises, each by its definition."""

import math
from collections import Counter

import numpy as np
import pytest

from anomalo.cleaning.evidence import formats, ngrams
from anomalo.cleaning.evidence.disguises import disguises
from anomalo.cleaning.evidence.numbers import extremes, gaps, numbers_of
from anomalo.cleaning.evidence.rarity import rarity
from anomalo.cleaning.rewriting import rewritten


@pytest.mark.parametrize(
    ("text", "classes", "runs", "shape"),
    [
        ("205-381", "000-000", "0-0", "0-0"),
        ("De Kalb 12", "Aa Aaaa 00", "Aa Aa 0", "a 0"),
        ("Ünï\x07x", "Àaà�a", "Àaà�a", "àaà�a"),
        ("", "", "", ""),
    ],
)
def test_levels_of_generalisation(text: str, classes: str, runs: str, shape: str) -> None:
    assert (formats.classes(text), formats.runs(text), formats.shape(text)) == (classes, runs, shape)


def test_the_odd_format_is_the_rarest_at_every_level() -> None:
    values = [f"{at:03}-{at * 7:04}" for at in range(40)] + ["5551234x"]
    found = formats.surprisals(values, np.ones(41, dtype=np.int64))
    assert (found.argmax(axis=0) == 40).all()
    assert found[40, 0] - found[0, 0] == pytest.approx(math.log(39.5 / 0.5))  # others in the format: 39 and none


def test_surprisals_of_characters_are_those_of_counts_without_the_text() -> None:
    values, counts = ["abcab", "abd", "xbc"], np.array([2, 1, 3])
    found = ngrams.surprisals(values, counts)
    texts = [f"\x00\x00{value}\x02" for value in values]
    alphabet = len(set("".join(texts)))
    for at, text in enumerate(texts):
        trigrams: Counter[str] = Counter()
        contexts: Counter[str] = Counter()
        for other, count in zip(texts, counts, strict=True):
            if other != text:
                for start in range(len(other) - 2):
                    trigrams[other[start : start + 3]] += count
                    contexts[other[start : start + 2]] += count
        expected = [
            math.log((contexts[text[start : start + 2]] + 0.1 * alphabet) / (trigrams[text[start : start + 3]] + 0.1))
            for start in range(len(text) - 2)
        ]
        assert found[at] == pytest.approx([max(expected), np.mean(expected)])


@pytest.mark.parametrize("values", [[""], ["", "a"], ["a"], []])
def test_short_columns_have_surprisals(values: list[str]) -> None:
    assert ngrams.surprisals(values, np.ones(len(values), dtype=np.int64)).shape == (len(values), 2)


def test_surprisal_of_a_value_is_above_the_entropy_where_it_is_rare() -> None:
    log_count, surprisal, entropy = rarity(np.array([3, 1]))
    assert entropy == pytest.approx(0.75 * math.log(4 / 3) + 0.25 * math.log(4))
    assert surprisal == pytest.approx([math.log(4 / 3) - entropy, math.log(4) - entropy])
    assert log_count == pytest.approx([math.log(3), 0])


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), ("-1.5e3", -1500), ("1,234.5", 1234.5), ("12.0 oz.", 12), ("€5", 5), ("0.05%", 0.05), (".5", 0.5)],
)
def test_numbers_are_read_with_their_units(text: str, number: float) -> None:
    assert numbers_of([text])[0] == number


@pytest.mark.parametrize(
    "text", ["", "abc", "1-2", "12 of 20", "1x3", "2020-01-05", "1e999", "9" * 400, "5 big red ones"]
)
def test_other_texts_are_no_numbers(text: str) -> None:
    assert np.isnan(numbers_of([text])[0])


def test_the_number_far_from_the_others_is_extreme_and_no_other_is() -> None:
    numbers = np.append(np.random.default_rng(0).normal(50, 5, 200), [500.0, np.nan])
    found = extremes(numbers, np.ones(202, dtype=np.int64))
    assert found.argmax() == 200
    assert found[200] > 10 > found[:200].max() * 2
    assert found[201] == 0
    assert gaps(numbers, np.ones(202, dtype=np.int64)).argmax() == 200


def test_disguises_have_grades() -> None:
    assert disguises([" n/a ", "EMPTY", "-999", "Nancy", ""]).tolist() == [3, 2, 1, 0, 0]


@pytest.mark.parametrize(
    ("text", "counts", "expected"),
    [
        ("12.0 oz", {"0.0": 50, "0.0 a": 2}, "12.0"),
        ("new york", {"Aa Aa": 50, "a a": 1}, "New York"),
        ("12.0 oz", {"0.0 a": 50}, None),
        ("a/b", {"a/a": 10, "a-a": 30}, None),
        ("a/b", {"a/a": 1, "a-a": 30}, "a-b"),
    ],
)
def test_a_rare_format_is_rewritten_to_a_frequent_one(text: str, counts: dict[str, int], expected: str | None) -> None:
    assert rewritten(text, counts) == expected
