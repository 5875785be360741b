"""A network's surprisals of characters instead of trigrams': fitted on a table, for the evidence about its cells."""

import numpy as np
import pytest

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.evidence.ngrams import surprisals
from anomalo.cleaning.examined import Examined
from anomalo.cleaning.features import NAMES, evidence, trigrams
from anomalo.errors import UsageError
from anomalo.pipeline.characters import at_scale_of, characters_of, model_surprisals
from anomalo.pipeline.config import FitConfig
from anomalo.registry.registry import Registry

CONFIG = FitConfig("strings", {"epochs": 25, "hidden": 32, "batch_size": 32}, seed=1, device="cpu")
STREETS = [f"{name} {kind}" for name in ("oak", "elm", "main", "park", "hill") for kind in ("street", "avenue", "road")]

QUICK = FitConfig("strings", {"epochs": 2, "hidden": 8}, seed=1, device="cpu")


def table() -> CodedTable:
    random = np.random.default_rng(0)
    streets = [str(street) for street in random.choice(STREETS, 300)]
    streets[7] = streets[7][:-2] + "x" + streets[7][-2:]
    return CodedTable.of_texts({"street": streets, "number": [str(at) for at in random.integers(100, 130, 300)]})


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.load()


def test_a_text_with_a_wrong_character_is_the_least_likely_one(registry: Registry) -> None:
    streets, numbers = table().columns
    surprisals = model_surprisals(table(), CONFIG, registry)
    found = surprisals(streets)
    assert found.shape == (len(streets.values), 2)
    assert found[:, 1].argmax() == streets.codes[7]
    assert np.isfinite(surprisals(numbers)).all()
    assert (found[:, 0] >= found[:, 1]).all()


@pytest.mark.slow
def test_they_are_the_mean_of_trigrams_and_of_the_model_at_their_scale(registry: Registry) -> None:
    one = table()
    functions = characters_of(one, CONFIG, registry), model_surprisals(one, CONFIG, registry), trigrams
    found, model, usual = (np.concatenate([of(column) for column in one.columns]) for of in functions)
    matched = 2 * found - usual
    counts = np.concatenate([column.counts for column in one.columns])
    for at in range(2):
        assert (np.diff(matched[np.argsort(model[:, at], kind="stable"), at]) >= -1e-9).all()
        assert usual[:, at].min() <= matched[:, at].min() < matched[:, at].max() <= usual[:, at].max()
        means = [np.average(values[:, at], weights=counts) for values in (matched, usual)]
        assert means[0] == pytest.approx(means[1], rel=0.1)


def test_quantiles_are_weighted() -> None:
    found, like, weights = np.array([1.0, 2.0, 3.0]), np.array([10.0, 30.0, 20.0]), np.array([1, 1, 2])
    # The weight below the middle of 3 is 3/4; below those of 20 and 30 it is 1/2 and 7/8.
    expected = 20 + 10 * (3 / 4 - 1 / 2) / (7 / 8 - 1 / 2)
    assert at_scale_of(found, like, weights, np.array([3.0, 1.0])) == pytest.approx([expected, 10.0])


def test_the_same_seed_gives_the_same_surprisals_in_any_order_of_the_rows(registry: Registry) -> None:
    one = table()
    order = np.random.default_rng(1).permutation(one.rows)
    shuffled = CodedTable.of_texts(
        {column.name: [column.values[column.codes[row]] for row in order] for column in one.columns}
    )
    of_text = []
    for each in (one, shuffled):
        found = characters_of(each, QUICK, registry)(each.columns[0])
        of_text.append(dict(zip(each.columns[0].values, found.tolist(), strict=True)))
    assert of_text[0] == of_text[1]


def test_new_rows_are_scored_and_not_learned_from(registry: Registry) -> None:
    reference = table()
    new = CodedTable.of_texts({"street": ["oak strxet", "☃ avenue"], "number": ["7", ""]})
    joined = CodedTable.joined(reference, new)
    known = characters_of(reference, QUICK, registry)(reference.columns[0])
    found = characters_of(joined, QUICK, registry)(joined.columns[0])
    np.testing.assert_array_equal(found[: len(known)], known)
    assert np.isfinite(found).all()


def test_one_text_and_none_at_all_are_scored(registry: Registry) -> None:
    one = CodedTable.of_texts({"a": ["same"] * 5, "b": [""] * 5})
    characters = characters_of(one, QUICK, registry)
    assert all(np.isfinite(characters(column)).all() for column in one.columns)
    none = CodedTable.of_texts({"a": []})
    assert characters_of(none, QUICK, registry)(none.columns[0]).shape == (0, 2)


def test_the_evidence_takes_them_instead_of_trigrams() -> None:
    one = table()
    at = [NAMES.index("ngram_largest"), NAMES.index("ngram_mean")]
    for column, usual, other in zip(one.columns, evidence(one), evidence(one, lambda c: -trigrams(c)), strict=True):
        expected = surprisals(column.short, column.counts)[column.codes].astype(np.float32)
        np.testing.assert_array_equal(usual.features()[:, at], expected)
        np.testing.assert_array_equal(other.features()[:, at], -expected)
    examined = Examined.of(one, lambda column: np.zeros((len(column.values), 2)))
    assert all((features[:, at] == 0).all() for features in examined.features)


def test_a_model_of_tables_is_refused(registry: Registry) -> None:
    with pytest.raises(UsageError, match="model 'knn' is for modality 'table', and the rows are of modality 'text'"):
        characters_of(table(), FitConfig("knn"), registry)
